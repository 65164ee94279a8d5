"""Checksums of all files that finished jobs wrote, so that a file that was changed later is noticed.

`checksums/<path>.sha256` in the results folder of a data set holds the SHA-256 of the file `<path>`, or of
all files of the folder `<path>`, in the format of `sha256sum`. Its paths are relative to the results folder,
so that `sha256sum -c` works from there.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from samcarry.errors import DamagedError
from samcarry.storage.files import atomic, sha256
from samcarry.storage.reading import reading

FOLDER = "checksums"
"""The folder of the checksums in the results folder of a data set."""

_LINE = re.compile(r"\\?(?P<digest>[0-9a-f]{64}) [ *](?P<name>.+)")


def checksum_file(path: str | Path, root: str | Path) -> Path:
    """Where the checksum of a file, or the checksums of a sealed folder, are."""
    return Path(root) / FOLDER / f"{_name(path, root)}.sha256"


def write_checksums(paths: Iterable[str | Path], root: str | Path) -> None:
    """Write the checksum of each file, atomically.

    Args:
        paths: files below `root`.
        root: the results folder of the data set.
    """
    digests = {path: sha256(path) for path in map(Path, paths)}
    _write({checksum_file(path, root): {path: digest} for path, digest in digests.items()}, root)


def seal_folder(folder: str | Path, root: str | Path) -> None:
    """Write the checksums of all files of a folder, at any depth, as one list, atomically."""
    _write({checksum_file(folder, root): {path: sha256(path) for path in _files(folder)}}, root)


def check(path: str | Path, root: str | Path | None = None) -> str:
    """The SHA-256 of a file, if it is what the job that wrote it has sealed.

    Args:
        path: a file below `root`.
        root: the results folder of the data set; None = the first two parts of `path`: 'results/demo'.

    Raises:
        DamagedError: the file or its checksum is missing, or its content has changed since it was written.
        InputError: the operating system cannot read one of the two.
    """
    path = Path(path)
    root = Path(*path.parts[:2]) if root is None else Path(root)
    try:
        return _check(path, root)
    except DamagedError:
        # A network file system may still show how the folders were before another machine wrote them. Opening
        # a folder makes it ask its server.
        for folder in (path.parent, checksum_file(path, root).parent):
            if folder.is_dir():
                list(folder.iterdir())
        return _check(path, root)


def check_folder(folder: str | Path, root: str | Path, remake: str | Path | None = None) -> None:
    """Check all files of a sealed folder, and that none was added or removed.

    Args:
        folder: a folder below `root`.
        root: the results folder of the data set.
        remake: the file whose rule makes the folder again; None = its cases.csv.

    Raises:
        DamagedError, InputError: as for `check`; a file was added.
    """
    folder, root = Path(folder), Path(root)
    try:
        if not (listed := _listed(checksum_file(folder, root))):
            raise _not_sealed(folder, folder, root)
        for name in listed:
            check(root / name, root)
        for path in _files(folder):
            if _name(path, root) not in listed:
                raise _added(path, folder, root)
    except DamagedError as error:
        raise error.with_remake(remake or folder / "cases.csv") from error


def check_names(folder: str | Path, root: str | Path) -> None:
    """Check that a folder in a sealed folder has the files that it had when a job wrote it; none is read.

    Raises:
        DamagedError: a file was added or is missing, or the folder is not sealed.
    """
    folder, root = Path(folder), Path(root)
    sealed = _sealed_as(folder, root)
    listed = _names_by_folder(checksum_file(sealed, root)).get(_name(folder, root), frozenset())
    there = {path.name for path in folder.glob("*") if path.is_file() and path.name[0] != "."}
    for name in sorted(listed - there):
        raise _damaged(folder / name, "there is no such file", sealed)
    for name in sorted(there - listed):
        raise _added(folder / name, sealed, root)


def _check(path: Path, root: Path) -> str:
    sealed = _sealed_as(path, root)
    try:
        with reading(path):
            found = sha256(path)
    except DamagedError as error:
        raise _damaged(path, "there is no such file", sealed) from error
    place = checksum_file(sealed, root)
    expected = _listed(place).get(_name(path, root))
    if expected is None:
        if sealed == path:
            raise DamagedError(place, "this checksum is damaged", remake=path)
        raise _added(path, sealed, root)
    if expected != found:
        raise _damaged(path, "its content has changed since it was written", sealed)
    return found


def is_sealed(path: str | Path, root: str | Path) -> bool:
    """Whether there is a checksum of a file or of a folder above it; its content may have changed since."""
    try:
        _sealed_as(Path(path), Path(root))
    except DamagedError:
        return False
    return True


def _sealed_as(path: Path, root: Path) -> Path:
    """The file itself, or the folder above it whose list holds its checksum."""
    for above in (path, *path.parents):
        if above == root:
            break
        if checksum_file(above, root).exists():
            return above
    raise _not_sealed(path, path, root)


def _damaged(path: Path, what: str, sealed: Path) -> DamagedError:
    # Of a sealed folder, its rule declares cases.csv only.
    return DamagedError(path, what, remake=path if sealed == path else sealed / "cases.csv")


def _added(path: Path, sealed: Path, root: Path) -> DamagedError:
    place = checksum_file(sealed, root)
    return _damaged(path, f"is not listed in {place}: it was added later, or the list is damaged", sealed)


def _not_sealed(path: Path, sealed: Path, root: Path) -> DamagedError:
    place = checksum_file(path, root)
    what = f"no finished job wrote this file (there is no {place}); if it is yours, move it out of {root}"
    return _damaged(path, what, sealed)


def _write(lists: Mapping[Path, Mapping[Path, str]], root: str | Path) -> None:
    """Write {place: {file: SHA-256}}; all content is written before the first list gets its name."""
    with ExitStack() as stack:
        for place, digests in lists.items():
            text = "".join(_line(_name(path, root), digest) for path, digest in digests.items())
            stack.enter_context(atomic(place)).write_bytes(text.encode("utf-8", "surrogateescape"))


def _line(name: str, digest: str) -> str:
    """A line as `sha256sum` writes it."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"


def _listed(place: Path) -> dict[str, str]:
    """{name: SHA-256} of a file of checksums."""
    with reading(place):
        return _parsed(place, *_version(place))


def _names_by_folder(place: Path) -> dict[str, frozenset[str]]:
    """{folder: names of its files} of a file of checksums."""
    with reading(place):
        return _grouped(place, *_version(place))


def _version(place: Path) -> tuple[int, int, int]:
    status = place.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=8)  # the list of a folder is needed for each of its files
def _grouped(place: Path, *version: int) -> dict[str, frozenset[str]]:
    names: dict[str, set[str]] = {}
    for path in map(PurePosixPath, _parsed(place, *version)):
        names.setdefault(path.parent.as_posix(), set()).add(path.name)
    return {folder: frozenset(of_folder) for folder, of_folder in names.items()}


@functools.lru_cache(maxsize=8)
def _parsed(place: Path, *_version: int) -> dict[str, str]:
    listed = {}
    for line in place.read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]:
        if match := _LINE.fullmatch(line):
            name = match["name"]
            listed[_unescaped(name) if line.startswith("\\") else name] = match["digest"]
    return listed


def _unescaped(name: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), name)


def _name(path: str | Path, root: str | Path) -> str:
    return Path(path).relative_to(root).as_posix()


def _files(folder: str | Path) -> list[Path]:
    """All files of a folder except hidden ones, sorted."""
    return sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.name[0] != ".")
