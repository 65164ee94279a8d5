"""Values of annotation files, read with care: JSON objects, sizes, points."""

import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.images import MOST_PIXELS

_FARTHEST = 1e9  # pixels
_T = TypeVar("_T")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        InputError: if the file is missing, empty, truncated, no UTF-8, nested too deep or no object.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if not content.strip():
        raise InputError(f"{path}: the file is empty; export it again")
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no UTF-8 text ({error.reason}); save it as UTF-8") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deep, as no export is; export it again") from None
    except ValueError as error:
        raise InputError(f"{path}: is no JSON, damaged or truncated ({error}); export it again") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: holds no JSON object; export it again")
    return document


def member(entry: Any, key: str, kind: type[_T]) -> _T:
    """entry[key] where that is of `kind`.

    Raises:
        InputError: if it is not (a truth value is no number), to be put behind the place.
    """
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        names = {list: "list", dict: "object", str: "text", int: "whole number"}
        raise InputError(f"has no {names.get(kind, 'value')} {key!r}; export it again")
    return value


def declared_size(height: Any, width: Any) -> tuple[int, int] | None:
    """(height, width) as declared; None if neither is.

    Raises:
        InputError: if that is no size of an image.
    """
    if height is None and width is None:
        return None
    sides = (height, width)
    if any(type(side) is not int or side < 1 for side in sides) or height * width > MOST_PIXELS:
        raise InputError(
            f"width {width!r:.20} and height {height!r:.20} are no size of an image; export it again"
        )
    return height, width


def points_of(value: Any, fewest: int) -> NDArray[np.float64]:
    """A list of [x, y] as (point, xy).

    Raises:
        InputError: if it is none, has fewer than `fewest`, or a coordinate is no finite number.
    """
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise InputError("has no list of points [x, y]; draw it again")
    if len(value) < fewest:
        raise InputError(f"has {len(value)} points; draw it with {fewest} or more")
    if any(type(number) not in (int, float) for pair in value for number in pair):
        raise InputError("has a coordinate that is no number; draw it again")
    if not all(abs(number) < _FARTHEST for pair in value for number in pair):  # nor is NaN
        raise InputError("has a coordinate that is no number near the image; draw it again")
    return np.array(value, dtype=np.float64)
