"""What images go through before a network sees them; model files record it, and prediction repeats it."""

from typing import Any

VERSION = 1
"""Raised whenever images are prepared in another way, so that no older model is given such images."""

SIDES = ("left", "right")

_RULES = {
    "orientation": "upright: the EXIF orientation is applied",
    "black": "0 is black: DICOM images in MONOCHROME1 and TIFF images in WhiteIsZero are inverted",
    "bits": "the percentiles `window` become 0 and 255; if it is null, 8 bits stay unchanged, the full "
    "range of 16 bits becomes 0 to 255, and of DICOM the window in the file",
    "resizing": "to `size`, bilinear with antialiasing; the aspect is not kept",
}


def preparation(mirrored: str | None) -> dict[str, Any]:
    """The entry `preparation` of a model file's metadata, besides `size` and `window`.

    Args:
        mirrored: the side whose images were mirrored, to look like those of the other side; None if no image
            was mirrored.
    """
    return {"version": VERSION, "mirrored": mirrored, **_RULES}
