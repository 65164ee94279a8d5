"""Held-out images: the same each time, from seeds and sources that no training sees."""

import itertools

import numpy as np
from PIL import Image

from samcarry.sam.small.validation import scene_questions, source_questions


def test_held_out_scenes_are_the_same_each_time_and_of_both_kinds():
    one, other = (list(scene_questions(1)) for _ in range(2))
    assert [question.source for question in one] == ["xray_scenes", "plain_scenes"]
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours.image, theirs.image)
        np.testing.assert_array_equal(ours.masks, theirs.masks)


def test_a_scene_asks_for_a_few_objects():
    for question in itertools.islice(scene_questions(3, objects=2), 6):
        assert 1 <= len(question.masks) <= 2
        assert question.masks.any(axis=(1, 2)).all()


def test_images_are_spread_over_a_source_and_grey(tmp_path):
    (tmp_path / "held").mkdir()
    for index in range(9):
        values = np.zeros((40, 50), np.uint8)
        values[10:30, 10:30] = 1
        Image.fromarray(np.full((40, 50, 3), 20 * index, np.uint8)).save(tmp_path / f"held/{index}.jpg")
        Image.fromarray(values).save(tmp_path / f"held/{index}.png")
    questions = list(source_questions(tmp_path, ("held",), images=3))
    assert [round(question.image.mean(), -1) for question in questions] == [0, 80, 160]
    assert all(question.source == "held" and question.masks.sum() == 400 for question in questions)
