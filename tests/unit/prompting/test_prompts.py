"""Prompts from hand-made masks: boxes, positive points and negative points."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samcarry.prompting.prompts import Prompt, bounding_box, extract_prompts, read_prompts, write_prompts


def masks(*areas, shape=(20, 30)):
    """Masks of one class each, drawn as (rows, columns) slices; None = absent."""
    drawn = np.zeros((len(areas), *shape), dtype=bool)
    for mask, area in zip(drawn, areas, strict=True):
        if area is not None:
            mask[area] = True
    return drawn


def test_the_box_has_the_outer_edges_of_the_pixels():
    (prompt,) = extract_prompts(masks(np.s_[2:5, 10:20]))
    assert prompt.box == (10.0, 2.0, 20.0, 5.0)


def test_the_positive_point_is_the_centre_of_mass_as_x_y():
    (prompt,) = extract_prompts(masks(np.s_[2:5, 10:20]))
    assert prompt.positive == (15.0, 3.5)


def test_one_pixel_has_a_box_of_one_pixel_and_its_centre_as_point():
    (prompt,) = extract_prompts(masks(np.s_[0, 0]))
    assert prompt == Prompt((0.0, 0.0, 1.0, 1.0), (0.5, 0.5), ())


def test_a_single_present_class_has_no_negative_points():
    prompts = extract_prompts(masks(None, np.s_[2:5, 2:5], None))
    assert prompts[1].negative == ()


def test_an_absent_class_has_no_prompt_and_is_no_negative_of_others():
    first, absent, last = extract_prompts(masks(np.s_[0:2, 0:2], None, np.s_[10:12, 20:24]))
    assert absent is None
    assert first.negative == ((22.0, 11.0),)
    assert last.negative == ((1.0, 1.0),)


def test_the_negatives_are_the_positives_of_all_others_in_order_of_class():
    prompts = extract_prompts(masks(np.s_[0:2, 0:2], np.s_[4:6, 4:6], np.s_[8:10, 8:10]))
    assert [prompt.negative for prompt in prompts] == [
        ((5.0, 5.0), (9.0, 9.0)),
        ((1.0, 1.0), (9.0, 9.0)),
        ((1.0, 1.0), (5.0, 5.0)),
    ]


def test_without_any_class_there_are_no_prompts():
    assert extract_prompts(masks(None, None)) == [None, None]


def test_the_point_is_in_the_part_that_no_other_class_covers():
    left, right = extract_prompts(masks(np.s_[0:4, 0:10], np.s_[0:4, 6:20]))
    assert left.positive == (3.0, 2.0)  # columns 0 to 5 are its own
    assert right.positive == (15.0, 2.0)  # columns 10 to 19 are


def test_the_box_contains_the_whole_class_even_if_part_is_covered():
    left, _ = extract_prompts(masks(np.s_[0:4, 0:10], np.s_[0:4, 6:20]))
    assert left.box == (0.0, 0.0, 10.0, 4.0)


def test_a_class_that_is_entirely_covered_by_another_keeps_its_own_centre():
    outer, inner = extract_prompts(masks(np.s_[0:20, 0:30], np.s_[4:6, 4:8]))
    assert inner.positive == (6.0, 5.0)
    assert inner.box == (4.0, 4.0, 8.0, 6.0)
    assert outer.positive != (15.0, 10.0)  # the hole moves it


def test_two_classes_of_the_same_pixels_both_have_prompts():
    one, other = extract_prompts(masks(np.s_[4:6, 4:8], np.s_[4:6, 4:8]))
    assert one == other == Prompt((4.0, 4.0, 8.0, 6.0), (6.0, 5.0), ((6.0, 5.0),))


def test_the_centre_of_a_concave_class_may_be_outside_it():
    ring = masks(np.s_[4:15, 4:15])
    ring[0, 6:13, 6:13] = False
    (prompt,) = extract_prompts(ring)
    assert prompt.positive == (9.5, 9.5)
    assert not ring[0, 9, 9]


def test_a_class_at_the_lower_right_border_stays_within_the_image():
    (prompt,) = extract_prompts(masks(np.s_[18:, 27:]))
    assert prompt.box == (27.0, 18.0, 30.0, 20.0)
    assert prompt.positive == (28.5, 19.0)


MASKS = arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)))


@given(MASKS)
def test_a_box_contains_its_mask_and_none_smaller_does(drawn):
    for mask, prompt in zip(drawn, extract_prompts(drawn), strict=True):
        if prompt is not None:
            x0, y0, x1, y1 = map(int, prompt.box)
            inside = mask[y0:y1, x0:x1]
            assert inside.sum() == mask.sum()
            for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
                assert side.any()


@given(MASKS)
def test_a_box_is_ordered_and_contains_the_positive_point(drawn):
    for prompt in extract_prompts(drawn):
        if prompt is not None:
            (x0, y0, x1, y1), (x, y) = prompt.box, prompt.positive
            assert x0 < x < x1
            assert y0 < y < y1


@given(MASKS)
def test_exactly_the_present_classes_have_a_prompt(drawn):
    present = [prompt is not None for prompt in extract_prompts(drawn)]
    assert present == drawn.any(axis=(1, 2)).tolist()


@given(MASKS)
def test_prompts_are_read_as_written(drawn):
    classes = tuple(f"Zahn {index}" for index in range(len(drawn)))
    prompts = extract_prompts(drawn)
    with TemporaryDirectory() as folder:
        write_prompts(Path(folder) / "a.json", {"a": prompts}, classes)
        assert read_prompts(Path(folder) / "a.json") == ({"a": prompts}, classes)


def test_an_absent_class_is_null_in_the_file(tmp_path):
    prompts = extract_prompts(masks(None, np.s_[0:2, 0:2]))
    write_prompts(tmp_path / "a.json", {"a": prompts}, ["Ulna", "Radius"])
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "a": {
            "Ulna": None,
            "Radius": {"box": [0.0, 0.0, 2.0, 2.0], "positive": [1.0, 1.0], "negative": []},
        }
    }


def test_prompts_are_read_by_the_names_of_classes_and_not_by_their_order(tmp_path):
    prompts = extract_prompts(masks(np.s_[0:2, 0:2], None))
    write_prompts(tmp_path / "a.json", {"a": prompts}, ["Radius", "Ulna"])
    reordered, _ = read_prompts(tmp_path / "a.json", classes=["Ulna", "Radius"])
    assert reordered == {"a": prompts[::-1]}


def test_prompts_of_several_shards_are_read_together(tmp_path):
    for case in "ab":
        write_prompts(tmp_path / f"{case}.json", {case: [None]}, ["Radius"])
    assert list(read_prompts(tmp_path / "a.json", tmp_path / "b.json")[0]) == ["a", "b"]


def test_a_class_that_is_missing_in_a_file_is_an_error(tmp_path):
    write_prompts(tmp_path / "a.json", {"a": [None]}, ["Radius"])
    with pytest.raises(KeyError, match="Ulna"):
        read_prompts(tmp_path / "a.json", classes=["Radius", "Ulna"])


def test_names_and_prompts_of_different_number_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="longer"):
        write_prompts(tmp_path / "a.json", {"a": [None, None]}, ["Radius"])


def test_the_box_of_scattered_pixels_spans_them():
    mask = np.zeros((9, 9), dtype=bool)
    mask[1, 7] = mask[6, 2] = True
    assert bounding_box(mask) == (2.0, 1.0, 8.0, 7.0)
