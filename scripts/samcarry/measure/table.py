"""The measurements of an image, and measurements.csv."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samcarry.images.masks import bounding_window
from samcarry.measure.cutting import resampled
from samcarry.measure.expressions import ANGLE, DIRECTION, GAP, Expression
from samcarry.measure.intervals import Interval, interval_of, pairs, possible_shapes
from samcarry.measure.shapes import Shape, Spacing, angle, between, measure_drawn
from samcarry.storage.tables import write_table

PIXELS, MM = "px", "mm"
QUANTITIES = ("area", "centre_x", "centre_y", "length", "width")
"""What is measured of each class."""

SIZE_TOLERANCE = 0.05
"""The share of a length within which contours agree, see `Interval.confidence`; twice as much for areas."""

ANGLE_TOLERANCE = 5.0
"""The degrees within which they agree on an angle."""

_DIRECTION = {"horizontal": (1.0, 0.0), "vertical": (0.0, 1.0)}
_MARGIN = 2


@dataclass(frozen=True)
class Measured:
    """The measurements of one image.

    Attributes:
        unit: PIXELS, or MM.
        classes: {class: {one of QUANTITIES: interval}} of the classes that are present.
        expressions: {name of the expression: interval}; those of absent classes are missing.
    """

    unit: str
    classes: Mapping[str, Mapping[str, Interval]]
    expressions: Mapping[str, Interval]


def measure_image(
    masks: NDArray[np.bool_],
    probabilities: NDArray[np.uint8],
    classes: Sequence[str],
    expressions: Sequence[Expression],
    spacing: Spacing | None,
) -> Measured:
    """Measure all masks of an image.

    Args:
        masks: (class, height, width) at the size of the image, as they are written.
        probabilities: (class, height, width) at network size, 0..255 for 0..1.
        classes: names of the classes.
        expressions: measurements between classes.
        spacing: height and width of a pixel in mm; None measures in pixels.
    """
    size = spacing or (1.0, 1.0)
    with_gaps = {part.name for one in expressions if one.kind == GAP for part in one.parts}
    shapes: dict[str, Shape] = {}
    others: dict[str, list[Shape | None]] = {}
    for name, mask, probability in zip(classes, masks, probabilities, strict=True):
        if mask.any():
            outline = name in with_gaps
            shapes[name] = measure_mask(mask, probability, size, outline=outline)
            others[name] = possible_shapes(probability, mask, shapes[name], size, outline=outline)
    pixel = max(size)
    found = {}
    for expression in expressions:
        if all(part.kind == DIRECTION or part.name in shapes for part in expression.parts):
            found[expression.name] = _between(expression, shapes, others, pixel)
    return Measured(
        MM if spacing else PIXELS,
        {name: _of_class(shape, others[name], pixel) for name, shape in shapes.items()},
        found,
    )


def measure_mask(
    mask: NDArray[np.bool_], probability: NDArray[np.uint8], spacing: Spacing, *, outline: bool = True
) -> Shape:
    """The measurements of one mask that is not empty; its contour is finer than a pixel where p allows it."""
    rows, columns = bounding_window(mask)
    top, left = max(0, rows.start - _MARGIN), max(0, columns.start - _MARGIN)
    part = mask[top : rows.stop + _MARGIN, left : columns.stop + _MARGIN]
    rows_of, columns_of = np.divide(probability.shape, mask.shape)
    box = (
        left * columns_of,
        top * rows_of,
        (left + part.shape[1]) * columns_of,
        (top + part.shape[0]) * rows_of,
    )
    fine = resampled(probability / 255, part.shape, Image.Resampling.BILINEAR, box)
    return measure_drawn(part, fine, spacing, (float(top), float(left)), outline=outline)


def _of_class(shape: Shape, others: Sequence[Shape | None], pixel: float) -> dict[str, Interval]:
    near = max(pixel, SIZE_TOLERANCE * shape.length)
    tolerances = {
        "area": 2 * SIZE_TOLERANCE * shape.area,
        "centre_x": near,
        "centre_y": near,
        "length": near,
        "width": max(pixel, SIZE_TOLERANCE * shape.width),
    }
    return {
        name: interval_of(
            _quantity(shape, name), [_quantity(other, name) if other else None for other in others], tolerance
        )
        for name, tolerance in tolerances.items()
    }


def _quantity(shape: Shape, name: str) -> float:
    if name.startswith("centre_"):
        return shape.centre["xy".index(name[-1])]
    value: float = getattr(shape, name)
    return value


def _between(
    expression: Expression,
    shapes: Mapping[str, Shape],
    others: Mapping[str, Sequence[Shape | None]],
    pixel: float,
) -> Interval:
    """The measurement of an expression whose classes are present."""
    first, second = expression.parts
    direction = next((part for part in expression.parts if part.kind == DIRECTION), None)
    if direction is not None:
        name = (second if first is direction else first).name
        across = _DIRECTION[direction.name]
        turned = [angle(other.axis, across) if other else None for other in others[name]]
        return interval_of(angle(shapes[name].axis, across), turned, ANGLE_TOLERANCE)
    value = between(shapes[first.name], shapes[second.name], expression.kind)
    values = [
        between(one, other, expression.kind) if one and other else None
        for one, other in pairs(others[first.name], others[second.name])
    ]
    tolerance = ANGLE_TOLERANCE if expression.kind == ANGLE else max(pixel, SIZE_TOLERANCE * value)
    return interval_of(value, values, tolerance)


def measured_as_json(measured: Measured) -> dict[str, Any]:
    """The measurements as JSON values, for the record of an image."""
    return asdict(measured)


def measured_from_json(entry: Mapping[str, Any]) -> Measured:
    """What `measured_as_json` has returned."""
    return Measured(
        entry["unit"],
        {
            name: {quantity: Interval(**value) for quantity, value in values.items()}
            for name, values in entry["classes"].items()
        },
        {name: Interval(**value) for name, value in entry["expressions"].items()},
    )


def write_measurements(
    path: str | Path,
    images: Iterable[tuple[str, str, Measured]],
    classes: Sequence[str],
    expressions: Sequence[Expression],
) -> None:
    """Write measurements.csv, atomically: one row for each image and class, and one of the expressions.

    The names of columns end with the unit; there are columns in mm, in pixels, or both, if the size of a
    pixel is known for some images only. Cells of absent classes are empty.

    Args:
        path: the file.
        images: (file, case, its measurements) of each image.
        classes: names of the classes.
        expressions: the measurements between classes.
    """
    images = list(images)
    units = [unit for unit in (MM, PIXELS) if any(of.unit == unit for _, _, of in images)] or [PIXELS]
    columns = [(name, unit) for name in QUANTITIES for unit in units]
    of_pairs = [
        (expression, unit)
        for expression in expressions
        for unit in (("deg",) if expression.kind == ANGLE else units)
    ]
    header = [_titles(name, "mm2" if unit == MM and name == "area" else unit) for name, unit in columns]
    header += [_titles(expression.name, unit) for expression, unit in of_pairs]
    rows: list[list[object]] = []
    for file, case, measured in images:
        for name in classes:
            values = measured.classes.get(name, {})
            cells = [_cells(values.get(key) if unit == measured.unit else None) for key, unit in columns]
            rows.append([file, case, name, *chain(*cells), *([""] * 4 * len(of_pairs))])
        if expressions:
            cells = [
                _cells(measured.expressions.get(expression.name) if unit in (measured.unit, "deg") else None)
                for expression, unit in of_pairs
            ]
            rows.append([file, case, "", *([""] * 4 * len(columns)), *chain(*cells)])
    write_table(path, ["file", "case", "class", *chain(*header)], rows)


def _titles(name: str, unit: str) -> list[str]:
    title = f"{name}_{unit}"
    return [title, f"{title}_low", f"{title}_high", f"{title}_confidence"]


def _cells(interval: Interval | None) -> list[object]:
    if interval is None:
        return [""] * 4
    return [f"{number:.2f}" for number in astuple(interval)]
