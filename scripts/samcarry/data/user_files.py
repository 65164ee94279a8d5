"""Which files in folders of the user are images and labels, and the names that they stand for.

All parts of samcarry ask this module, so that no two of them see different files. Names are in Unicode's
composed form (NFC), because macOS writes the decomposed one. Standard library only, because the Snakefile
imports this module.
"""

from collections.abc import Iterable
from pathlib import Path, PurePath
from unicodedata import normalize

from samcarry.images import IMAGE_SUFFIXES

LABEL_SUFFIX = ".png"

_LITTER = (  # of operating systems and file managers, in lower case; and everything hidden
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "lost+found",
)


def composed(text: str) -> str:
    """`text` in Unicode's composed form: equal names are then equal texts."""
    return normalize("NFC", text)


def visible_entries(folder: Path) -> list[Path]:
    """Files and folders in `folder`, sorted, without hidden ones and those that file managers create."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith(".") and entry.name.lower() not in _LITTER
    )


def visible_files(folder: Path, faults: list[str]) -> list[Path]:
    """All files in `folder` and its subfolders, sorted, without those that `visible_entries` leaves out.

    Args:
        folder: an existing folder.
        faults: one line is added for each subfolder that cannot be read or is a link.
    """
    files, waiting = [], [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = visible_entries(here)
        except OSError as error:
            faults.append(f"{here}: cannot be read ({error.strerror}); allow it, or move it elsewhere")
            continue
        for entry in entries:
            if not entry.is_dir():
                files.append(entry)
            elif entry.is_symlink():
                faults.append(f"{entry}: is a link to a folder, which is not followed; copy the folder there")
            else:
                waiting.append(entry)
    return sorted(files)


def image_name(file: PurePath) -> str | None:
    """The name of the case that an image file shows; None if its suffix is not that of an image."""
    return composed(file.stem) if file.suffix.lower() in IMAGE_SUFFIXES else None


def label_name(file: PurePath) -> str | None:
    """The class whose mask a file holds; None if its suffix is not that of a mask."""
    return composed(file.stem) if file.suffix.lower() == LABEL_SUFFIX else None


def find_label_files(folder: Path, faults: list[str]) -> dict[str, Path]:
    """The masks of one case as {class: file}, sorted by class; no file is opened.

    Args:
        folder: the label folder of the case.
        faults: one line is added if there is no such folder, for each file that is not a PNG, and for each
            second file of a class.
    """
    if not folder.is_dir():
        faults.append(f"{folder}: there is no such folder of labels; put it back and run again")
        return {}
    masks = []
    for file in visible_entries(folder):
        name = label_name(file)
        if name is None or file.is_dir():
            faults.append(
                f"{file}: is not a PNG file, but labels must be {folder}/<class>.png; convert or remove it"
            )
        else:
            masks.append((name, file))
    return dict(sorted(by_name(masks, "mask of class", faults).items()))


def by_name(files: Iterable[tuple[str, Path]], kind: str, faults: list[str]) -> dict[str, Path]:
    """{name: file}; a second file of a name is a fault that names both.

    Names that differ only in upper and lower case count as equal: not every file system can keep both, and
    of two classes one is misspelt.

    Args:
        files: names in composed form, and their files.
        kind: what a file is for its name, for messages.
        faults: one line is added for each second file.
    """
    found: dict[str, tuple[str, Path]] = {}
    for name, file in files:
        other, first = found.setdefault(name.lower(), (name, file))
        if first is file:
            continue
        why = ""
        if name != other:
            why = " (upper and lower case count as equal)"
        elif composed(str(first)) == composed(str(file)):
            why = " (the same letters in another Unicode form)"
        faults.append(f"{file}: is a second {kind} {name!r}, besides {first}{why}; rename or remove one")
    return dict(found.values())
