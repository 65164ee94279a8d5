"""Label maps: reading and writing images whose pixels are numbers or colours, one per class."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samcarry.errors import InputError, raise_faults
from samcarry.formats.class_tables import LARGEST_NUMBER, ClassTable
from samcarry.geometry.run_lengths import encode_mask
from samcarry.geometry.shapes import Annotation, ClassMapper, LabelledShape, same_name
from samcarry.images.colours import class_colours_8bit
from samcarry.images.grey import is_white_zero, open_image, raw_mode, upright
from samcarry.storage.files import atomic

LABEL_MAP_SUFFIXES = (".png", ".tif", ".tiff")
_MAX_UNNAMED = 255
_MAX_PALETTE_CLASSES = 255
_STEPS = {"L;2": 85, "L;4": 17}  # by which Pillow multiplies grey values of 2 and 4 bits
_FORMATS = ("PNG", "TIFF")  # lossy formats would change the numbers


def read_label_map(
    path: str | Path, map_class: ClassMapper = same_name, *, table: ClassTable | None = None
) -> list[Annotation]:
    """Read a label map, which annotates the image of the same name.

    Grey and palette pixels are numbers, unless the table has only colours. Pixels of a colour image are
    colours, unless the table has none and all three channels are equal. 0 and black are the background
    unless the table names them. Fully transparent pixels are black.

    Args:
        path: a PNG or TIFF of 1 to 16 bits, or in colours of 8 bits.
        map_class: maps a name in the table to a class, None to skip it.
        table: None uses each number as the name of its class.

    Returns:
        One annotation.

    Raises:
        InputError: the file cannot be read (see `grey.open_image`), or holds a value that the table does not
            name, colours although the table has none, fractions, or numbers beyond 16 bits.
    """
    path = Path(path)
    with open_image(path, _FORMATS) as image:
        step = _STEPS.get(raw_mode(image)[:3], 1)
        image.load()
        if is_white_zero(image):
            raise InputError(f"{path}: is a TIFF in which white is 0; save it with black as 0")
        image = upright(image)
        values, in_colour = _values(image, step, path, table)
    names = None if table is None else (table.colours if in_colour else table.numbers)
    source = "" if table is None else table.source
    shapes = shapes_of_values(values, path, map_class, names, source, in_colour=in_colour)
    height, width = values.shape
    return [Annotation(path, path.name, (height, width), shapes)]


def shapes_of_values(
    values: NDArray[np.integer],
    path: Path,
    map_class: ClassMapper,
    names: dict[int, str | None] | None,
    source: str,
    *,
    in_colour: bool = False,
) -> tuple[LabelledShape, ...]:
    """One shape for each value of a map (height, width) that stands for a class.

    Args:
        values: 0 to 65535, or packed colours.
        path: the map's file, for messages.
        map_class: see `read_label_map`.
        names: {value: class, None = background}; None uses each number as the name of its class.
        source: the place of `names`, for messages.
        in_colour: whether values are packed colours.

    Raises:
        InputError: one line per fault, see `read_label_map`.
    """
    present = [int(value) for value in np.unique(values)]
    if names is None:
        if len(present) > _MAX_UNNAMED + 1:
            raise InputError(
                f"{path}: holds {len(present):,} different numbers, like a photograph; if it is a label "
                "map, name them in a table"
            )
        names = {value: str(value) for value in present if value}
    names = {0: None, **names}
    unknown = [value for value in present if value not in names]
    if unknown:
        examples = ", ".join(_describe_occurrence(values, value, in_colour) for value in unknown[:3])
        more = f" and {len(unknown) - 3:,} more" if len(unknown) > 3 else ""
        raise InputError(
            f"{path}: holds values that {source} does not name: {examples}{more}; name them there (as "
            "background, if they are not a class), or correct the map"
        )
    faults: list[str] = []
    shapes = []
    for value in present:
        name = names[value]
        if name is None:
            continue
        try:
            class_name = map_class(name)
            if class_name is not None:
                shapes.append(
                    LabelledShape(_describe(value, in_colour), class_name, (encode_mask(values == value),))
                )
        except InputError as error:
            faults.append(f"{path}: {_describe(value, in_colour)} {error}")
    raise_faults(faults)
    return tuple(shapes)


def _values(
    image: Image.Image, step: int, path: Path, table: ClassTable | None
) -> tuple[NDArray[np.integer], bool]:
    """Numbers or packed colours (height, width), and whether they are colours.

    `step` is what the stored number 1 has become.
    """
    has_numbers = table is None or bool(table.numbers)
    deep = image.mode.startswith("I")
    if deep or (image.mode in ("1", "L", "P") and has_numbers):
        numbers: NDArray[np.integer] = np.asarray(image, dtype=np.int32 if deep else np.uint8)
        if not has_numbers or numbers.min() < 0 or numbers.max() > LARGEST_NUMBER:
            limit = LARGEST_NUMBER if has_numbers else "255, the limit of the table's colours"
            raise InputError(f"{path}: may hold numbers outside 0 to {limit}; save it with fewer bits")
        return numbers // step, False
    if image.mode not in ("1", "L", "P", "RGB", "LA", "PA", "RGBA"):
        raise InputError(
            f"{path}: holds neither whole numbers nor colours ({image.mode}); save it with 8 bits"
        )
    pixels = np.asarray(image.convert("RGBA"))
    opaque = pixels[..., 3] != 0
    red, green, blue = (np.where(opaque, pixels[..., channel], 0).astype(np.int32) for channel in range(3))
    if table is not None and table.colours:
        return red << 16 | green << 8 | blue, True
    if (red == green).all() and (green == blue).all():
        return red, False
    raise InputError(
        f"{path}: is in colours; name them in a table, with the columns r, g, b and class, or as #rrggbb"
    )


def _describe(value: int, in_colour: bool) -> str:
    """A value as text, for messages."""
    return f"colour #{value:06x}" if in_colour else f"value {value}"


def _describe_occurrence(values: NDArray[np.integer], value: int, in_colour: bool) -> str:
    """A value with its number of pixels and the place of the first."""
    row, column = np.unravel_index(int(np.argmax(values == value)), values.shape)
    count = int((values == value).sum())
    return f"{_describe(value, in_colour)} ({count:,} pixels, first in row {row}, column {column})"


def label_map(masks: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """The number of the class at each pixel (height, width) of `masks` (class, height, width); 0 = none.

    Classes are numbered from 1 in their order. Where classes overlap, the smaller one is kept: the one with
    fewer pixels in this image or, if equal, the later in the list. The other formats keep both.
    """
    numbers = np.zeros(masks.shape[1:], np.uint16)
    areas = masks.sum(axis=(1, 2))
    for index in np.argsort(-areas, kind="stable"):
        numbers[masks[index]] = index + 1
    return numbers


def write_label_map(path: str | Path, masks: NDArray[np.bool_]) -> None:
    """Write `label_map(masks)` as a PNG, atomically.

    With up to 255 classes it has a palette: a pixel's index is the number of its class, and viewers show the
    colours of `write_class_table`. With more classes it is 16-bit grey.
    """
    numbers = label_map(masks)
    if len(masks) > _MAX_PALETTE_CLASSES:
        image = Image.fromarray(numbers)
    else:
        image = Image.fromarray(numbers.astype(np.uint8))
        image.putpalette([0, 0, 0, *(part for colour in class_colours_8bit(len(masks)) for part in colour)])
    with atomic(path) as private:
        image.save(private, format="PNG")
