"""Measurements between two classes, as the key `measurements` of a config lists them.

Nothing is evaluated: an entry names two parts of classes, and their kind decides what is measured. Standard
library only, because the Snakefile imports this module.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from samcarry.errors import InputError

SHAPE, CENTRE, AXIS, DIRECTION = "shape", "centre", "axis", "direction"
GAP, DISTANCE, ANGLE = "gap", "distance", "angle"
_DIRECTIONS = ("horizontal", "vertical")
_PART = re.compile(r"(axis|centre) of (.+)")
_NAME = re.compile(r"[^\W_][\w .()+-]{0,59}")
_RESERVED = ("file", "case", "class", "area", "centre_x", "centre_y", "length", "width", "confidence")
_HINT = "write two classes for a gap, two 'centre of …' for a distance, or two 'axis of …' for an angle"


@dataclass(frozen=True)
class Part:
    """What is measured of one class.

    Attributes:
        kind: SHAPE, CENTRE, AXIS, or DIRECTION, which needs no class.
        name: the class; for a direction 'horizontal' or 'vertical'.
    """

    kind: str
    name: str


@dataclass(frozen=True)
class Expression:
    """A measurement between two parts.

    Attributes:
        name: its name in tables.
        kind: GAP, the smallest distance between two contours; DISTANCE of two centres; or ANGLE between two
            axes, 0 to 90 degrees.
        parts: what is between.
    """

    name: str
    kind: str
    parts: tuple[Part, Part]


def parse_expressions(
    block: Mapping[str, Any], classes: Collection[str] | None, source: str
) -> tuple[Expression, ...]:
    """The measurements that a block `{name: {between: [part, part]}}` lists.

    A part is a class, 'centre of <class>', 'axis of <class>', 'horizontal' or 'vertical'.

    Args:
        block: the value of the key `measurements`.
        classes: the classes that there are; None if they are not known yet.
        source: what messages call the block.

    Raises:
        InputError: one line, for the first entry that is not of this form or names an unknown class.
    """
    if not isinstance(block, Mapping):
        raise InputError(f"{source}: is not a list of names with `between`; see docs/predict.md")
    return tuple(_expression(name, entry, classes, f"{source}.{name}") for name, entry in block.items())


def _expression(name: Any, entry: Any, classes: Collection[str] | None, place: str) -> Expression:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in _RESERVED:
        raise InputError(
            f"{place}: is not a usable name; begin with a letter or digit, use at most 60 letters, digits, "
            f"blanks and ._()+-, and none of {', '.join(_RESERVED)}"
        )
    between = entry.get("between") if isinstance(entry, Mapping) else None
    if not isinstance(between, list) or len(between) != 2 or len(entry) > 1:
        raise InputError(f"{place}: is not `between: [part, part]`; {_HINT}")
    first, second = (_part(text, classes, place) for text in between)
    kinds = {AXIS if part.kind == DIRECTION else part.kind for part in (first, second)}
    if len(kinds) > 1 or first.kind == second.kind == DIRECTION:
        raise InputError(f"{place}: {between[0]!r} and {between[1]!r} do not fit together; {_HINT}")
    if first == second:
        raise InputError(f"{place}: names the same part twice; {_HINT}")
    return Expression(name, {SHAPE: GAP, CENTRE: DISTANCE, AXIS: ANGLE}[kinds.pop()], (first, second))


def _part(text: Any, classes: Collection[str] | None, place: str) -> Part:
    if not isinstance(text, str):
        raise InputError(f"{place}: {text!r} is not a text; {_HINT}")
    if text in _DIRECTIONS and text not in (classes or ()):
        return Part(DIRECTION, text)
    found = _PART.fullmatch(text)
    part = Part(found[1], found[2]) if found and text not in (classes or ()) else Part(SHAPE, text)
    if classes is not None and part.name not in classes:
        raise InputError(f"{place}: {part.name!r} is not a class; choose from {', '.join(classes)}")
    return part
