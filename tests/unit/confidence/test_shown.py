"""Images unlike those that a network was shown have small p values; what a file says of them is checked."""

import json

import numpy as np
import pytest

from samcarry.confidence.shown import read_shown, shown_as_json, shown_images

RNG = np.random.default_rng(0)
MIX = RNG.normal(size=(4, 24))


def features(count, shift=0.0, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, (count, 4)) @ MIX + rng.normal(0, 0.1, (count, 24))


def test_like_images_are_rarely_outside_and_others_always():
    shown = shown_images(features(60), features(40, seed=2), [str(place) for place in range(40)])
    like = [shown.p_value(one) for one in features(200, seed=3)]
    assert np.mean(np.array(like) <= 0.05) < 0.12
    assert all(shown.p_value(one) == 1 / 41 for one in features(5, shift=6, seed=4))
    # What training images do not vary in counts too.
    aside = features(1, seed=5)[0] + 30 * np.linalg.svd(MIX)[2][-1]
    assert shown.p_value(aside) == 1 / 41


def test_images_of_a_patient_count_once():
    shown = shown_images(features(20), features(8, seed=2), ["a", "a", "b", "b", "b", "c", "c", "c"])
    assert len(shown.usual) == 3
    assert list(shown.usual) == sorted(shown.usual)


def test_too_few_images_show_nothing():
    assert shown_images(features(4), features(8, seed=2), list("abcdefgh")) is None
    assert shown_images(features(20), np.zeros((0, 24)), []) is None


def test_equal_images_have_a_distance():
    same = np.tile(features(1), (6, 1))
    shown = shown_images(same, same[:2], ["a", "b"])
    assert shown.p_value(same[0]) == 1
    assert shown.p_value(same[0] + 1) == 1 / 3


def test_a_file_keeps_it():
    shown = shown_images(features(300), features(9, seed=2), list("abcdefghi"))
    assert len(shown.training) == 200
    entry = json.loads(json.dumps(shown_as_json(shown)))
    again = read_shown(entry)
    new = features(1, seed=3)[0]
    assert again.distance(new) == shown.distance(new)


@pytest.mark.parametrize(
    "damage",
    [
        {"mean": [1.0]},
        {"scale": [0.0] * 24},
        {"axes": [[1.0]]},
        {"training": []},
        {"usual": []},
        {"usual": ["x"]},
        {"mean": [float("nan")] * 24},
    ],
)
def test_damage_is_found(damage):
    entry = shown_as_json(shown_images(features(20), features(9, seed=2), list("abcdefghi")))
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_shown({**entry, **damage})
