"""Which pages and tasks for people say of themselves that lines of text in their images are filled.

They are never replaced, so that those made before the config asked for this still show the text.
"""

import zipfile
from pathlib import Path

from samcarry.storage.reading import reading

HTML_MARK = '<meta name="samcarry-text" content="filled">'
"""In the head of such a page."""

ZIP_MARK = b"lines of text are filled"
"""The comment of such an archive."""

_HEAD = 4096  # bytes of a page; what comes from data before the mark is much shorter, and escaped
_FILES = ("review/task-*/images.zip", "review/task-*/annotate.html", "first/annotate.html")


def is_filled(file: Path) -> bool:
    """Whether a page or an archive has the mark.

    Raises:
        InputError: the operating system cannot read it.
    """
    with reading(file, by_rule=False):
        if file.suffix == ".zip":
            try:
                with zipfile.ZipFile(file) as archive:
                    return archive.comment == ZIP_MARK
            except zipfile.BadZipFile:  # the user's own
                return False
        with file.open("rb") as stream:
            return HTML_MARK.encode() in stream.read(_HEAD)


def unfilled_warnings(results: str | Path) -> list[str]:
    """One line for each page and task below a results folder whose images may show text.

    Raises:
        InputError: the operating system cannot read a file.
    """
    files = [file for pattern in _FILES for file in sorted(Path(results).glob(pattern))]
    return [
        f"{file}: was made without images.mask_text, so it may show text such as names, and it is not "
        "replaced; import what was corrected with it, delete it and ask for it again"
        for file in files
        if not is_filled(file)
    ]
