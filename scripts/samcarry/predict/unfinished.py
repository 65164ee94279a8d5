"""The folder of a prediction that is not finished yet, in which the same call goes on after a stop.

It is called `<out>.unfinished` and holds the results so far, with a record for each finished image. Nothing
in it is synchronised before the end: records have checksums of the files, so that losses by a power cut are
noticed.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samcarry.errors import InputError
from samcarry.storage import disk
from samcarry.storage.files import sha256, write_text

log = logging.getLogger(__name__)
SUFFIX = ".unfinished"
_LOCK = "lock"


@dataclass(frozen=True)
class Unfinished:
    """The results so far.

    Attributes:
        results: the folder that becomes the output folder.
        records: one file for each finished image.
    """

    results: Path
    records: Path

    def keep(self, keys: Mapping[str, str]) -> set[str]:
        """Keep the finished images that have the right key and are undamaged, and remove everything else.

        Args:
            keys: {case: key}; the key of an image stands for all that its results depend on.

        Returns:
            The cases that need not be predicted again.
        """
        kept, files = set(), {self.results}
        for case, key in keys.items():
            entry = self._read(case)
            if entry and entry["key"] == key and self._is_intact(entry["files"]):
                kept.add(case)
                files |= {self.results / name for name in entry["files"]}
        records = {self._place(case) for case in kept}
        for path in [*self.results.rglob("*"), *self.records.iterdir()]:
            if not path.is_dir() and path not in files | records:
                disk.remove(path)
        for folder in sorted(self.results.rglob("*"), reverse=True):  # the deepest folders first
            if folder.is_dir() and folder not in files and not any(folder.iterdir()):
                folder.rmdir()
        return kept

    def has_record(self, case: str) -> bool:
        """Whether an earlier call has finished this image, whatever it was made with."""
        return self._place(case).exists()

    def remember(self, case: str, key: str, files: Sequence[str], record: Mapping[str, Any]) -> None:
        """Record that an image is finished, after its files and folders (below `results`) were written."""
        places = {name: self.results / name for name in files}
        digests = {name: None if place.is_dir() else sha256(place) for name, place in places.items()}
        text = json.dumps({"key": key, "files": digests, "record": dict(record)})
        write_text(self._place(case), f"{_digest(text)}\n{text}")

    def recall(self, case: str) -> dict[str, Any]:
        """The record of an image that `keep` has kept."""
        entry = self._read(case)
        if entry is None:
            raise InputError(f"{self._place(case)}: was changed meanwhile; run the same command again")
        return entry["record"]

    def _place(self, case: str) -> Path:
        return self.records / f"{_digest(case)}.json"

    def _read(self, case: str) -> dict[str, Any] | None:
        """The content of a record; None if there is none, or a damaged one."""
        place = self._place(case)
        if not place.is_file():
            return None
        digest, _, text = place.read_text(encoding="utf-8", errors="replace").partition("\n")
        return json.loads(text) if _digest(text) == digest else None

    def _is_intact(self, files: Mapping[str, str | None]) -> bool:
        places = {self.results / name: digest for name, digest in files.items()}
        return all(
            place.is_dir() if digest is None else place.is_file() and sha256(place) == digest
            for place, digest in places.items()
        )


@contextmanager
def unfinished(out: Path, *, replace: bool) -> Iterator[Unfinished]:
    """Yield what earlier calls have left; if the block ends without an error, rename the results to `out`.

    If it ends with an error, the results stay for the next call, unless no image is finished. A folder `out`
    that appears meanwhile is never replaced.

    Args:
        out: the output folder.
        replace: whether `out`, if it exists now, is to be replaced.

    Raises:
        InputError: another process works on the same results, `out` appeared meanwhile, or its unfinished
            folder is not ours.
    """
    folder = Path(f"{out}{SUFFIX}")
    replaced = _identity(out) if replace else None
    if folder.exists() and not _is_ours(folder):
        raise InputError(
            f"{folder}: was not made by samcarry predict; rename it, or choose another output folder"
        )
    disk.make_folder(folder)
    with (folder / _LOCK).open("ab") as lock:
        if not _lock(lock.fileno(), folder / _LOCK):
            raise InputError(
                f"{out}: another samcarry predict is writing to it; wait, or choose another folder"
            )
        work = _take_over(folder)
        state = Unfinished(work / "results", work / "records")
        for path in (state.results, state.records):
            path.mkdir(parents=True, exist_ok=True)
        try:
            yield state
            disk.sync_tree(state.results)
            try:
                disk.put(state.results, out, replace=replaced is not None and _identity(out) == replaced)
            except FileExistsError:
                raise InputError(
                    f"{out}: appeared while the masks were predicted, and was not replaced; remove or rename "
                    "it, and run the same command again, which keeps the masks"
                ) from None
            disk.sync(out.parent)
        except BaseException:
            if count := sum(1 for _ in state.records.iterdir()):
                log.warning("%s: keeps %d finished images; the same command goes on there", folder, count)
                raise
            disk.remove(folder)
            raise
        disk.remove(folder)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _is_ours(folder: Path) -> bool:
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else [""]
    known = (_LOCK, ".DS_Store")  # the second one is of macOS
    return all(name in known or disk.is_private(Path(name)) for name in names)


def _take_over(folder: Path) -> Path:
    """A private folder of this process in `folder`, with what the last one has left."""
    work = disk.private_name(folder / "work")
    left = [path for path in sorted(folder.iterdir()) if disk.is_private(Path(path.name))]
    if left:
        left[0].rename(work)
    return work


def _lock(descriptor: int, path: Path) -> bool:
    """Lock a file for this process; False if another one has it, or had it and is removing it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        log.warning(
            "%s: cannot be locked (%s); do not predict to the same folder twice at once", path, error.strerror
        )
    status = os.fstat(descriptor)
    return _identity(path) == (status.st_dev, status.st_ino)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
