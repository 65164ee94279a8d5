"""Run-length encodings of masks: those of COCO and CVAT, and the spool file of exports."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from samcarry.errors import InputError
from samcarry.geometry.shapes import Runs


@dataclass(frozen=True)
class RunLengths:
    """One class of one image in COCO's encoding.

    Attributes:
        class_index: position of the class in the list of classes.
        counts: COCO's compressed run lengths, column by column.
        area: pixels.
        box: left, top, width, height in pixels.
    """

    class_index: int
    counts: str
    area: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class EncodedImage:
    """One image: its file name, its size in pixels, and a mask for each class present."""

    file_name: str
    height: int
    width: int
    masks: tuple[RunLengths, ...]


def encode_image(file_name: str, masks: NDArray[np.bool_]) -> EncodedImage:
    """Encode masks (class, height, width) as run lengths; a class without a pixel has no entry."""
    encoded_masks = []
    for index, mask in enumerate(masks):
        if mask.any():
            encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
            left, top, width, height = (int(number) for number in coco_mask.toBbox(encoded))
            counts = encoded["counts"].decode("ascii")
            encoded_masks.append(RunLengths(index, counts, int(mask.sum()), (left, top, width, height)))
    return EncodedImage(file_name, masks.shape[1], masks.shape[2], tuple(encoded_masks))


def decode_box(image: EncodedImage, mask: RunLengths) -> NDArray[np.bool_]:
    """The part of a mask inside its bounding box, (height, width) of the box."""
    encoded = {"size": [image.height, image.width], "counts": mask.counts.encode("ascii")}
    left, top, width, height = mask.box
    return coco_mask.decode(encoded)[top : top + height, left : left + width].astype(bool)


class Spool:
    """Encoded images in a file, one per line: appended one at a time, and read any number of times.

    Formats that hold all images in one file are written from it at the end, so memory does not grow with the
    number of images.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def add(self, image: EncodedImage) -> None:
        """Append an image."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(image)) + "\n")

    def __iter__(self) -> Iterator[EncodedImage]:
        with self.path.open(encoding="utf-8") as stream:
            for line in stream:
                yield image_from_json(json.loads(line))


def image_from_json(entry: Mapping[str, Any]) -> EncodedImage:
    """An encoded image of the JSON values that `dataclasses.asdict` gives."""
    masks = tuple(RunLengths(**{**mask, "box": tuple(mask["box"])}) for mask in entry["masks"])
    return EncodedImage(**{**entry, "masks": masks})


def encode_mask(mask: NDArray[np.bool_]) -> Runs:
    """Encode a mask (height, width) as COCO's run lengths, which take about a hundredth of its memory."""
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return Runs(encoded["counts"], *mask.shape)


# Numbers with five bits per character, lowest first. pycocotools reads beyond the end of a text that is cut
# off inside a number.
_COMPRESSED = re.compile(r"(?:[P-o]{0,6}[0-O])*")


def decompress_counts(counts: str) -> Sequence[int]:
    """Decompress COCO's run lengths, so that their sum can be checked.

    Raises:
        InputError: the text is not a valid encoding.
    """
    if not _COMPRESSED.fullmatch(counts):
        raise InputError("has compressed run lengths that are cut off or damaged; export it again")
    runs: list[int] = []
    value = shift = 0
    for bits in np.frombuffer(counts.encode(), np.uint8).astype(int) - 48:
        value |= (int(bits) & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift  # a negative number
        # From the fourth number on, each is the difference to the last but one.
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs


def check_runs(runs: Sequence[int], height: int, width: int) -> None:
    """Check that run lengths fill a box of (height, width).

    Raises:
        InputError: they add up to another number of pixels, or one is negative.
    """
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise InputError(f"its runs add up to {sum(runs)} pixels and not {width} x {height}")


def encode_runs(bitmap: NDArray[np.bool_]) -> list[int]:
    """Encode a bitmap (height, width) as CVAT's run lengths: row by row, background first (may be 0)."""
    pixels = bitmap.ravel()
    ends = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff([0, *ends, pixels.size]).tolist()
    return [0, *runs] if pixels[0] else runs
