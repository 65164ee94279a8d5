"""Checked values of JSON annotation files: objects, image sizes, points."""

import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError
from samcarry.images import MOST_PIXELS
from samcarry.storage.reading import reading

_MAX_COORDINATE = 1e9  # pixels
_T = TypeVar("_T")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        InputError: as `parse_json`, or the file does not hold an object.
    """
    document = parse_json(path)
    if not isinstance(document, dict):
        raise InputError(f"{path}: does not hold a JSON object; export it again")
    return document


def parse_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        InputError: the file is missing, empty, truncated, not UTF-8 or nested too deeply.
    """
    with reading(path, by_rule=False):
        content = path.read_bytes()
    if not content.strip():
        raise InputError(f"{path}: the file is empty; export it again")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text ({error.reason}); save it as UTF-8") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply for an annotation export; export it again") from None
    except ValueError as error:
        raise InputError(f"{path}: is not JSON, damaged or truncated ({error}); export it again") from None


def get_value(entry: Any, key: str, kind: type[_T]) -> _T:
    """entry[key], which has to be of type `kind`.

    Raises:
        InputError: it is missing or of another type (true and false are not numbers). The message continues
            the place of the entry.
    """
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        names = {list: "list", dict: "object", str: "text", int: "whole number"}
        raise InputError(f"has no {names.get(kind, 'value')} {key!r}; export it again")
    return value


def check_size(height: Any, width: Any) -> tuple[int, int] | None:
    """(height, width) of an image as written in a file; None if both are None.

    Raises:
        InputError: it is not a possible image size.
    """
    if height is None and width is None:
        return None
    sides = (height, width)
    if any(type(side) is not int or side < 1 for side in sides) or height * width > MOST_PIXELS:
        raise InputError(
            f"width {width!r:.20} and height {height!r:.20} are not a possible image size; export it again"
        )
    return height, width


def parse_points(value: Any, fewest: int) -> NDArray[np.float64]:
    """A list of [x, y] as an array (point, xy).

    Raises:
        InputError: it is not such a list, has fewer than `fewest` points, or has a coordinate that is not a
            number below 1e9.
    """
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise InputError("has no list of points [x, y]; draw it again")
    if len(value) < fewest:
        raise InputError(f"has {len(value)} points; draw it with {fewest} or more")
    if any(type(number) not in (int, float) for pair in value for number in pair):
        raise InputError("has a coordinate that is not a number; draw it again")
    if not all(abs(number) < _MAX_COORDINATE for pair in value for number in pair):  # false for NaN too
        raise InputError("has a coordinate that is far outside the image or not finite; draw it again")
    return np.array(value, dtype=np.float64)
