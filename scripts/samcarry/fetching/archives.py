"""Unpacking of zip archives of unknown servers: chosen files only, into one folder, and never elsewhere."""

import errno
import zipfile
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from samcarry.errors import InputError
from samcarry.fetching.download import check_room

_CHUNK = 1 << 20
_OF_DAMAGE = (
    None,
    errno.EINVAL,
    errno.ENAMETOOLONG,
)  # a place before the start of a file, a name of no sense


def unpack(archive: Path, folder: Path, pattern: str, wanted: Callable[[str], bool]) -> int:
    """Write the wanted files of a zip archive into `folder`, without the folders of the archive.

    Only the last part of a file's name in the archive is used, so nothing is written outside of `folder`, and
    links become files. The archive's checksum (CRC-32) of each file is checked.

    Args:
        archive: the zip file.
        folder: an existing folder.
        pattern: of the names in the archive, such as `*/img/*.jpg`.
        wanted: whether a file of this name, without folders, is written.

    Returns:
        How many files were written.

    Raises:
        InputError: it is not a zip archive, it is damaged or encrypted, no name fits the pattern, or two of
            its files would get the same name.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            fitting = [entry for entry in opened.infolist() if _fits(entry, pattern)]
            if not fitting:
                names = ", ".join(entry.filename for entry in opened.infolist()[:3])
                raise InputError(
                    f"{archive}: no file in it fits {pattern!r} (it has {names} …): correct `unpack`"
                )
            chosen = [entry for entry in fitting if wanted(PurePosixPath(entry.filename).name)]
            check_room(folder, sum(entry.file_size for entry in chosen), str(archive))
            for entry in chosen:
                _write(opened, entry, folder / PurePosixPath(entry.filename).name, archive)
    except InputError:
        raise
    except Exception as error:  # zipfile raises almost any exception on a damaged file
        if isinstance(error, OSError) and error.errno not in _OF_DAMAGE:
            raise
        raise InputError(
            f"{archive}: is not a zip archive that can be read ({error}): delete it and run again"
        ) from error
    return len(chosen)


def _fits(entry: zipfile.ZipInfo, pattern: str) -> bool:
    parts = PurePosixPath(entry.filename).parts
    if entry.is_dir() or not parts or parts[-1].startswith(".") or "\\" in parts[-1] or "__MACOSX" in parts:
        return False
    return fnmatchcase(entry.filename, pattern)


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, archive: Path) -> None:
    try:
        stream = path.open("xb")
    except FileExistsError:
        raise InputError(
            f"{archive}: {path.name} is in it twice: choose one of the two by `unpack` in the config"
        ) from None
    with stream, opened.open(entry) as content:
        while chunk := content.read(_CHUNK):
            stream.write(chunk)
