"""Names that a file system refuses: exFAT, FAT, NTFS and many network drives take no `:` or `?`."""

import errno
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from samcarry.errors import raise_faults
from samcarry.storage import disk

# What is refused somewhere; other names are not tried.
_SUSPECT = re.compile(r'[\\:*?"<>|]|[. ]$')
_REFUSALS = (errno.EINVAL, errno.EILSEQ, errno.ENOENT)


def check_names_fit(folder: str | Path, names: Iterable[str]) -> None:
    """Check that files and folders of these names can be made below `folder`, before anything is computed.

    Names with signs that some file systems refuse are tried out in a hidden folder, which is removed.

    Args:
        folder: made if it does not exist and there is such a name.
        names: may contain folders: 'monday/17'.

    Raises:
        InputError: one line for each name that cannot be used.
        OSError: nothing can be written to `folder`.
    """
    parts = {part: name for name in names for part in PurePosixPath(name).parts if _SUSPECT.search(part)}
    if not parts:
        return
    folder = Path(folder)
    trial = disk.private_name(folder / "names")
    disk.make_folder(trial)
    try:
        refused = [name for part, name in parts.items() if not _fits(trial, part)]
    finally:
        disk.remove(trial)
    raise_faults(
        [
            f"{folder}: no file there can be called {name!r}, because this file system refuses some signs "
            '(such as : * ? " | \\ or a dot at the end); rename it, or choose a folder on another file system'
            for name in refused
        ]
    )


def _fits(folder: Path, name: str) -> bool:
    file = folder / name
    try:
        file.touch()
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return False
    # Some drop a dot or a blank at the end.
    kept = normalize("NFC", name) in {normalize("NFC", entry.name) for entry in folder.iterdir()}
    disk.remove(file)
    return kept
