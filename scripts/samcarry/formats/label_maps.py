"""Reader of label maps: a PNG or TIFF an image whose pixels are numbers or colours, a class each."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samcarry.errors import InputError, raise_faults
from samcarry.formats.class_tables import LARGEST_NUMBER, ClassTable
from samcarry.formats.run_lengths import runs_of
from samcarry.formats.shapes import Annotation, Choose, Shape, as_it_is
from samcarry.images.colours import colours_of
from samcarry.images.grey import open_image, upright
from samcarry.storage.files import atomic

LABEL_MAP_SUFFIXES = (".png", ".tif", ".tiff")
MOST_UNNAMED = 255
_FORMATS = ("PNG", "TIFF")  # a lossy format invents numbers
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0


def read_label_map(
    path: str | Path, choose: Choose = as_it_is, *, table: ClassTable | None = None
) -> list[Annotation]:
    """Read a label map, which is of the image that has the same name.

    Pixels of one grey channel or of a palette are numbers, unless the table has colours only. Those of a
    colour image are colours, unless the table has none and all three channels are equal. 0 and black are
    the background unless the table names them, and what is wholly transparent is black.

    Args:
        path: a PNG or TIFF of 8 or 16 bits.
        choose: names the class of a name in the table, None to pass over it.
        table: None calls each number's class by the number.

    Returns:
        One annotation.

    Raises:
        InputError: if the file cannot be read (see `images.open_image`), holds a value that the table
            does not name, colours without a table of colours, fractions, or numbers beyond 16 bits.
    """
    path = Path(path)
    with open_image(path, _FORMATS) as image:
        image.load()
        if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            raise InputError(f"{path}: is a TIFF in which white is 0; save it with black as 0")
        image = upright(image)
        values, in_colour = _values(image, path, table)
    names = None if table is None else (table.colours if in_colour else table.numbers)
    source = "" if table is None else table.source
    shapes = shapes_of_values(values, path, choose, names, source, in_colour=in_colour)
    height, width = values.shape
    return [Annotation(path, path.name, (height, width), shapes)]


def shapes_of_values(
    values: NDArray[np.integer],
    path: Path,
    choose: Choose,
    names: dict[int, str | None] | None,
    source: str,
    *,
    in_colour: bool = False,
) -> tuple[Shape, ...]:
    """A shape for each value of a map (height, width) that stands for a class.

    Args:
        values: 0 to 65535, or packed colours.
        path: the map's file, for messages.
        choose: see `read_label_map`.
        names: {value: class, None = background}; None names each number's class by the number.
        source: where `names` stand, for messages.
        in_colour: whether values are packed colours.

    Raises:
        InputError: a line for each fault, see `read_label_map`.
    """
    present = [int(value) for value in np.unique(values)]
    if names is None:
        if len(present) > MOST_UNNAMED + 1:
            raise InputError(
                f"{path}: holds {len(present):,} different numbers, as a photograph does; if it is a label "
                "map, name them in a table"
            )
        names = {value: str(value) for value in present if value}
    names = {0: None, **names}
    unknown = [value for value in present if value not in names]
    if unknown:
        told = ", ".join(_place(values, value, in_colour) for value in unknown[:3])
        more = f" and {len(unknown) - 3:,} more" if len(unknown) > 3 else ""
        raise InputError(
            f"{path}: holds what {source} does not name: {told}{more}; name it there, background if it is "
            "none, or mend the map"
        )
    faults: list[str] = []
    shapes = []
    for value in present:
        name = names[value]
        if name is None:
            continue
        try:
            class_name = choose(name)
            if class_name is not None:
                shapes.append(Shape(_called(value, in_colour), class_name, (runs_of(values == value),)))
        except InputError as error:
            faults.append(f"{path}: {_called(value, in_colour)} {error}")
    raise_faults(faults)
    return tuple(shapes)


def _values(image: Image.Image, path: Path, table: ClassTable | None) -> tuple[NDArray[np.integer], bool]:
    """Numbers, or packed colours, (height, width), and which of the two they are."""
    has_numbers = table is None or bool(table.numbers)
    deep = image.mode.startswith("I")
    if deep or (image.mode in ("1", "L", "P") and has_numbers):
        numbers: NDArray[np.integer] = np.asarray(image, dtype=np.int32 if deep else np.uint8)
        if not has_numbers or numbers.min() < 0 or numbers.max() > LARGEST_NUMBER:
            most = LARGEST_NUMBER if has_numbers else "255, which the table's colours have"
            raise InputError(f"{path}: may hold numbers beyond 0 to {most}; save it with fewer bits")
        return numbers, False
    if image.mode not in ("1", "L", "P", "RGB", "LA", "PA", "RGBA"):
        raise InputError(f"{path}: holds no whole numbers and no colours ({image.mode}); save it with 8 bits")
    pixels = np.asarray(image.convert("RGBA"))
    seen = pixels[..., 3] != 0
    red, green, blue = (np.where(seen, pixels[..., channel], 0).astype(np.int32) for channel in range(3))
    if table is not None and table.colours:
        return red << 16 | green << 8 | blue, True
    if (red == green).all() and (green == blue).all():
        return red, False
    raise InputError(
        f"{path}: is in colours; name them in a table, with the columns r, g, b and class, or as #rrggbb"
    )


def _called(value: int, in_colour: bool) -> str:
    return f"colour #{value:06x}" if in_colour else f"value {value}"


def _place(values: NDArray[np.integer], value: int, in_colour: bool) -> str:
    """How often a value occurs, and where first."""
    row, column = np.unravel_index(int(np.argmax(values == value)), values.shape)
    count = int((values == value).sum())
    return f"{_called(value, in_colour)} ({count:,} pixels, first in row {row}, column {column})"


MOST_PALETTE_CLASSES = 255


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
