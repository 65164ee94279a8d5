"""Masks for other programs: a PNG a class, label map, NIfTI, COCO, and contours over the radiograph."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from samcarry.figures import class_colours
from samcarry.files import atomic, write_text
from samcarry.masks import write_mask
from samcarry.run_lengths import EncodedImage
from samcarry.stacks import Stack, write_stack

MOST_PALETTE_CLASSES = 255


def write_class_masks(folder: str | Path, masks: NDArray[np.bool_], classes: Sequence[str]) -> None:
    """Write `<folder>/<class>.png`, 0 and 255, for each class of `masks` (class, height, width).

    As in a data set's labels, a class without a pixel has no file; the folder is there in any case.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    for mask, name in zip(masks, classes, strict=True):
        if mask.any():
            write_mask(Path(folder) / f"{name}.png", mask)


def label_map(masks: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """One number a pixel (height, width) of `masks` (class, height, width): 0 = none, then 1, 2 and so on.

    Where classes overlap, the smaller one lies on top: the one with fewer pixels in this image, of equal
    ones the later in the list. What lies below is lost; the other formats keep it.
    """
    numbers = np.zeros(masks.shape[1:], np.uint16)
    areas = masks.sum(axis=(1, 2))
    for index in np.argsort(-areas, kind="stable"):
        numbers[masks[index]] = index + 1
    return numbers


def write_label_map(path: str | Path, masks: NDArray[np.bool_]) -> None:
    """Write `label_map(masks)` as a PNG, atomically.

    Up to 255 classes it has a palette: a pixel's index is its class's number, and viewers show the
    colours of `write_class_table`. Beyond, it is 16-bit grey.
    """
    numbers = label_map(masks)
    if len(masks) > MOST_PALETTE_CLASSES:
        image = Image.fromarray(numbers)
    else:
        image = Image.fromarray(numbers.astype(np.uint8))
        image.putpalette([0, 0, 0, *(part for colour in colours_of(len(masks)) for part in colour)])
    with atomic(path) as private:
        image.save(private, format="PNG")


def colours_of(count: int) -> list[tuple[int, int, int]]:
    """Red, green and blue, 0..255, of each class; those of the figures."""
    return [
        (round(255 * red), round(255 * green), round(255 * blue))
        for red, green, blue, _ in class_colours(count)
    ]


def write_class_table(path: str | Path, classes: Sequence[str]) -> None:
    """Write number, class and colour of each class as CSV; 0 is the background, black."""
    rows = [(0, "background", 0, 0, 0)]
    for number, (name, colour) in enumerate(zip(classes, colours_of(len(classes)), strict=True), 1):
        rows.append((number, name, *colour))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("number", "class", "red", "green", "blue"))
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def write_nifti(path: str | Path, masks: NDArray[np.bool_], classes: Sequence[str], case: str) -> None:
    """Write masks (class, height, width) as .nii.gz with axes (x, y, 1, class), a 0/1 channel a class.

    It is a `stacks.Stack` of one case: `read_stack` gives it back with the names of its classes.
    """
    write_stack(path, Stack(masks[None].astype(np.uint8), "mask", (case,), tuple(classes)))


def write_coco(path: str | Path, images: Iterable[EncodedImage], classes: Sequence[str]) -> None:
    """Write all images as one COCO file, one at a time, atomically: an annotation for each class of each.

    Masks are compressed run lengths, so that holes, parts and overlaps survive; category ids are 1, 2, …
    in the order of `classes`.
    """
    entries: list[dict[str, Any]] = []
    written = 0
    with atomic(path) as private, private.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('{"annotations": [')
        for number, image in enumerate(images, 1):
            size = {"height": image.height, "width": image.width}
            entries.append({"id": number, "file_name": image.file_name, **size})
            for mask in image.masks:
                stream.write(",\n" if written else "\n")
                written += 1
                annotation = {
                    "id": written,
                    "image_id": number,
                    "category_id": mask.class_index + 1,
                    "segmentation": {"size": [image.height, image.width], "counts": mask.counts},
                    "area": mask.area,
                    "bbox": list(mask.box),
                    "iscrowd": 0,
                }
                stream.write(json.dumps(annotation))
        categories = [{"id": number, "name": name} for number, name in enumerate(classes, 1)]
        rest = {"images": entries, "categories": categories}
        stream.write("],\n" + json.dumps(rest, ensure_ascii=False)[1:] + "\n")


def overlay(image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A grey image (height, width) with the contours of `masks`, as RGB (height, width, 3).

    A contour is the rim of its mask, 1 pixel wide or a 500th of the image's long side.
    """
    picture = np.repeat(image[..., None], 3, axis=2)
    thickness = max(1, round(max(image.shape) / 500))
    for mask, colour in zip(masks, colours_of(len(masks)), strict=True):
        if mask.any():
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            inside = ndimage.binary_erosion(mask[window], iterations=thickness)
            picture[window][mask[window] & ~inside] = colour
    return picture


def write_overlay(path: str | Path, image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> None:
    """Write `overlay(image, masks)` as a PNG, atomically."""
    with atomic(path) as private:
        Image.fromarray(overlay(image, masks)).save(private, format="PNG")
