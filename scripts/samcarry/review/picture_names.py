"""Names of pictures that are shown to people, which say whether an import has mirrored the picture.

Other programs keep nothing but the name of an image. Without the mark, a correction of a mirrored picture
would be taken for one of the user's own image, or the reverse.
"""

from collections.abc import Collection
from pathlib import PurePosixPath

from samcarry.importing.matching import without_suffix

_MARK = ".mirrored"


def picture_name(case: str, mirrored: Collection[str]) -> str:
    """The file name of a picture of a case, of which `mirrored` are mirrored."""
    return f"{case}{_MARK}.png" if case in mirrored else f"{case}.png"


def unmarked(name: str, cases: Collection[str]) -> tuple[str, bool]:
    """The path of an image without the mark of a mirrored picture, and whether it had one.

    The mark counts only where it is not part of the name of one of the `cases`.
    """
    path = PurePosixPath(without_suffix(name))
    if path.name in cases or not path.name.endswith(_MARK):
        return name, False
    return f"{path.with_name(path.name.removesuffix(_MARK))}.png", True
