"""What images go through before a network sees them; model files record it, and prediction repeats it."""

from collections.abc import Sequence
from typing import Any

from samcarry.errors import InputError

VERSION = 1
"""Raised whenever images are prepared in another way, so that no older model is given such images."""

TEXT_MASKED = 2
"""The version if lines of text are filled, too; an older samcarry, which cannot do so, refuses it."""

SIDES = ("left", "right")

_RULES = {
    "orientation": "upright: the EXIF orientation is applied",
    "black": "0 is black: DICOM images in MONOCHROME1 and TIFF images in WhiteIsZero are inverted",
    "bits": "the percentiles `window` become 0 and 255; if it is null, 8 bits stay unchanged, the full "
    "range of 16 bits becomes 0 to 255, and of DICOM the window in the file",
    "resizing": "to `size`, bilinear with antialiasing; the aspect is not kept",
}


_TEXT = "lines of text near the borders are filled, before an image is resized"


def check_window(window: Sequence[float], name: str = "window") -> None:
    """Refuse what cannot be the two percentiles (0..100) that become black and white.

    Args:
        window: the lower and the higher percentile.
        name: what the message calls the window.

    Raises:
        InputError: they do not increase or are outside 0 to 100, or both are at most 1, as fractions are.
    """
    low, high = window
    if not 0 <= low < high <= 100:
        raise InputError(f"{name} {window}: not two increasing percentiles; write for example 0.5, 99.5")
    if high <= 1:
        raise InputError(
            f"{name} {window}: percentiles go from 0 to 100, and these seem to be fractions; write for "
            "example 0.5, 99.5"
        )


def preparation(mirrored: str | None, text_masked: bool = False) -> dict[str, Any]:
    """The entry `preparation` of a model file's metadata, besides `size` and `window`.

    Args:
        mirrored: the side whose images were mirrored, to look like those of the other side; None if no image
            was mirrored.
        text_masked: whether lines of text were filled, see `images.text`.
    """
    if text_masked:
        return {"version": TEXT_MASKED, "mirrored": mirrored, **_RULES, "text": _TEXT}
    return {"version": VERSION, "mirrored": mirrored, **_RULES}
