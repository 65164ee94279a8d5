"""Tables of masks: reading a CSV sheet with one row a mask, as some published data sets have it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from samcarry.data.user_files import composed, image_name
from samcarry.errors import InputError, raise_faults
from samcarry.geometry.run_lengths import encode_mask, encode_runs
from samcarry.geometry.shapes import (
    Annotation,
    BoxRuns,
    ClassMapper,
    Geometry,
    LabelledShape,
    same_name,
)
from samcarry.images.masks import read_mask
from samcarry.storage.sheets import read_sheet

COLUMNS = {"image": "image", "class": "class", "mask": "mask", "left": "left", "top": "top"}
"""What a column holds, and its name if no other one is given."""


@dataclass
class _ImageMasks:
    """The masks of an image, its name as written first, and size and row of its first mask without place."""

    name: str
    shapes: list[LabelledShape] = field(default_factory=list)
    size: tuple[int, int] | None = None
    first: str = ""


def read_mask_table(
    path: str | Path,
    map_class: ClassMapper = same_name,
    *,
    columns: Mapping[str, str] = COLUMNS,
    masks: str | Path | None = None,
) -> list[Annotation]:
    """Read the masks that a table lists.

    A mask is read as `masks.read_mask` does, and is as large as its image unless the row gives the place of
    its upper left pixel. A row without class and mask says that its image has none of the classes.

    Args:
        path: a CSV file.
        map_class: maps a class in the table to ours, None to skip its masks.
        columns: names of the columns for image, class and mask and, if the table has them, for `left` and
            `top`: column and row of the mask's upper left pixel in the image, from 0.
        masks: the folder of the masks; None is the folder of the table.

    Returns:
        One annotation per image.

    Raises:
        InputError: one line per fault: a missing column, a row without image, class or mask, a path that
            leads out of the folder, a mask that is not a PNG or cannot be read, two sizes of one image, a
            place that is not two whole numbers.
    """
    path = Path(path)
    folder = path.parent if masks is None else Path(masks)
    names = {key: composed(columns.get(key) or name) for key, name in COLUMNS.items()}
    rows = read_sheet(path, required=[names[key] for key in ("image", "class", "mask")])
    faults: list[str] = []
    found: dict[str, _ImageMasks] = {}
    for number, row in enumerate(rows, start=1):
        texts = {key: row.get(name, "") for key, name in names.items()}
        try:
            _add_row(found, f"entry {number}", texts, folder, map_class)
        except InputError as error:
            faults.append(f"{path}: entry {number} {error}")
    if not rows:
        faults.append(f"{path}: has no row below its header; list one mask a row")
    raise_faults(faults)
    return [Annotation(path, masks.name, masks.size, tuple(masks.shapes)) for masks in found.values()]


def _add_row(
    found: dict[str, _ImageMasks], place: str, texts: Mapping[str, str], folder: Path, map_class: ClassMapper
) -> None:
    """Add the mask of a row; the message of an error continues the place of the row."""
    if not texts["image"]:
        raise InputError("names no image; fill it in")
    image = PurePosixPath(texts["image"].replace("\\", "/"))
    key = str(image if image_name(image) is None else image.with_suffix(""))
    of_image = found.setdefault(key, _ImageMasks(texts["image"]))
    if not texts["class"] and not texts["mask"]:
        return
    for needed in ("class", "mask"):
        if not texts[needed]:
            raise InputError(f"names no {needed}; fill it in, or leave class and mask empty if there is none")
    class_name = map_class(texts["class"])
    if class_name is None:
        return
    file = _mask_file(texts["mask"], folder)
    try:
        mask = read_mask(file)
    except InputError as error:
        raise InputError(f"names the mask {error}") from None
    geometry: Geometry
    if texts["left"] or texts["top"]:
        left, top = _place_of(texts)
        geometry = BoxRuns(tuple(encode_runs(mask)), left, top, *mask.shape)
    else:
        geometry = encode_mask(mask)
        size = (geometry.height, geometry.width)
        if of_image.size is None:
            of_image.size, of_image.first = size, place
        elif of_image.size != size:
            height, width = of_image.size
            raise InputError(
                f"has the mask {file} of {size[1]} x {size[0]}, but that of {of_image.first} is {width} x "
                f"{height} (width x height); export both at the size of the image, or give its place in the "
                "columns for left and top"
            )
    of_image.shapes.append(LabelledShape(f"{place} ({texts['mask']!r})", class_name, (geometry,)))


def _mask_file(text: str, folder: Path) -> Path:
    """The file of a mask, which has to be in `folder` or below."""
    inner = PurePosixPath(text.replace("\\", "/"))
    if inner.is_absolute() or re.match("[A-Za-z]:", text) or not text.isprintable():
        raise InputError(f"has the mask {text!r:.200}, which is not a path below {folder}; correct it")
    file = folder / inner
    if not file.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"has the mask {text!r:.200}, which leads out of {folder}; copy the file there")
    return file


def _place_of(texts: Mapping[str, str]) -> tuple[int, int]:
    """Column and row of a mask's upper left pixel."""
    if not all(re.fullmatch(r"-?[0-9]{1,6}(\.0*)?", texts[key]) for key in ("left", "top")):
        place = f"{texts['left']!r:.20} and {texts['top']!r:.20}"
        raise InputError(f"has the place {place}, which is not two whole numbers; write column and row")
    return int(float(texts["left"])), int(float(texts["top"]))
