"""Measurements between classes: what the config may say."""

import pytest

from samcarry.errors import InputError
from samcarry.measure.expressions import ANGLE, DISTANCE, GAP, parse_expressions

CLASSES = ("Radius", "Ulna", "Os capitatum")


def parsed(between, classes=CLASSES):
    [found] = parse_expressions({"m": {"between": between}}, classes, "measurements")
    return found


@pytest.mark.parametrize(
    ("between", "kind"),
    [
        (["Radius", "Ulna"], GAP),
        (["centre of Radius", "centre of Os capitatum"], DISTANCE),
        (["axis of Radius", "axis of Ulna"], ANGLE),
        (["axis of Radius", "vertical"], ANGLE),
        (["horizontal", "axis of Os capitatum"], ANGLE),
    ],
)
def test_the_parts_decide_what_is_measured(between, kind):
    assert parsed(between).kind == kind
    assert parsed(between, None) == parsed(between)


def test_a_class_that_is_called_like_a_part_is_that_class():
    found = parsed(["axis of A", "vertical"], ("axis of A", "vertical"))
    assert [part.name for part in found.parts] == ["axis of A", "vertical"]
    assert found.kind == GAP


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ({"m": {"between": ["Radius", "Elna"]}}, "'Elna' is not a class; choose from Radius"),
        ({"m": {"between": ["axis of Radius", "Ulna"]}}, "do not fit together"),
        ({"m": {"between": ["horizontal", "vertical"]}}, "do not fit together"),
        ({"m": {"between": ["Radius", "Radius"]}}, "same part twice"),
        ({"m": {"between": ["Radius"]}}, "is not `between"),
        ({"m": {"between": ["Radius", "Ulna"], "more": 1}}, "is not `between"),
        ({"m": {"between": ["Radius", 3]}}, "3 is not a text"),
        ({"m": "Radius - Ulna"}, "is not `between"),
        ({"area": {"between": ["Radius", "Ulna"]}}, "not a usable name"),
        ({"=1+1": {"between": ["Radius", "Ulna"]}}, "not a usable name"),
        ({7: {"between": ["Radius", "Ulna"]}}, "not a usable name"),
        (["Radius"], "is not a list of names"),
    ],
)
def test_anything_else_is_refused_in_one_line(block, fault):
    with pytest.raises(InputError, match=fault) as caught:
        parse_expressions(block, CLASSES, "measurements")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("measurements")
