"""Images unlike those of a training are noticed, and others of their kind are not."""

import json

import numpy as np
import pytest
from PIL import Image

from samcarry.data.phantoms import draw_phantoms
from samcarry.images.grey import read_grey, resize_grey
from samcarry.images.training_look import compare, measure_look, read_look
from support.paths import SHARED

SIZE = (96, 96)
RNG = np.random.default_rng(0)


def prepared(counts, seed=0):
    drawn = draw_phantoms(counts=counts, seed=seed, height=192, width=192)
    return np.stack([resize_grey(phantom.image, *SIZE) for phantom in drawn])


@pytest.fixture(scope="module")
def known():
    return look_of(prepared({"unlabelled": 48}))


@pytest.fixture(scope="module")
def held_out():
    return prepared({"val": 6, "test": 24})


def look_of(*stacks):
    return read_look(json.loads(json.dumps(measure_look(stacks))))


def flagged(images, look):
    return np.mean([compare(np.ascontiguousarray(image), look).score > 1 for image in images])


def test_images_of_the_same_kind_are_alike(known, held_out):
    assert flagged(held_out, known) <= 0.05


CHANGES = {
    "inverted": (lambda image: 255 - image, "black and white swapped"),
    "12 bits in 16": (lambda image: image // 16, "--window 0.5 99.5"),
    "14 bits in 16": (lambda image: image // 4, "--window 0.5 99.5"),
    "black": (np.zeros_like, "blank"),
    "grey": (lambda image: np.full_like(image, 128), "blank"),
    "noise": (lambda image: RNG.integers(0, 256, image.shape, np.uint8), ""),
    "noisy": (lambda image: np.clip(image + 25 * RNG.standard_normal(SIZE), 0, 255).astype(np.uint8), ""),
    "shifted": (lambda image: np.roll(image, 32, axis=1), ""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_images_are_noticed_and_the_reason_says_why(known, held_out, change):
    apply, hint = CHANGES[change]
    changed = [np.ascontiguousarray(apply(image)) for image in held_out]
    assert flagged(changed, known) == 1
    reasons = [compare(image, known).reason for image in changed]
    assert all("unlike the training images" in reason for reason in reasons)
    assert np.mean([hint in reason for reason in reasons]) >= 0.9


def test_a_few_training_images_are_enough_for_gross_faults(held_out):
    few = look_of(prepared({"train": 8}))
    assert flagged(held_out, few) <= 0.05
    assert flagged([255 - image for image in held_out], few) == 1
    assert flagged([image // 16 for image in held_out], few) == 1


def test_fewer_images_show_nothing(held_out):
    assert measure_look([held_out[:2], held_out[2:4]]) is None
    assert measure_look([held_out[:2], held_out[2:5]])["images"] == 5
    assert measure_look([]) is None


def test_many_images_are_thinned_out():
    stack = RNG.integers(0, 256, (1500, 8, 8), np.uint8)
    assert measure_look([stack])["images"] == 1000


def test_equal_and_tiny_images_give_finite_numbers():
    for shape in ((6, 8, 8), (6, 1, 1), (6, 1, 32), (6, 3, 2)):
        look = look_of(np.full(shape, 7, np.uint8))
        assert compare(np.full(shape[1:], 7, np.uint8), look).score < 1
        assert np.isfinite(compare(np.full(shape[1:], 200, np.uint8), look).score)


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: entry.pop("images"),
        lambda entry: entry.update(images=-2),
        lambda entry: entry["measures"]["contrast"].update(usual=float("inf")),
        lambda entry: entry["measures"].pop("layout"),
        lambda entry: entry["measures"]["contrast"].update(usual=0),
        lambda entry: entry["measures"]["contrast"].update(mean=[1.0]),
        lambda entry: entry["measures"]["contrast"].update(precision=[[float("nan")] * 3] * 3),
        lambda entry: entry.update(measures=3),
    ],
)
def test_an_invalid_entry_is_an_error(held_out, damage):
    entry = measure_look([held_out])
    damage(entry)
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_look(entry)


def real_images(study, split, size):
    rows = [line.split(",") for line in (SHARED / study / "cases.csv").read_text().splitlines()]
    column = rows[0].index("split")
    files = [
        next((SHARED / study / "images").glob(f"{row[0]}.*")) for row in rows[1:] if row[column] == split
    ]
    return np.stack([resize_grey(read_grey(file), *size) for file in files])


@pytest.mark.skipif(
    not (SHARED / "teeth").is_dir(), reason="the panoramic radiographs of shared/data are not here"
)
def test_on_genuine_radiographs(held_out):
    size = (112, 224)
    train, val = real_images("teeth", "train", size), real_images("teeth", "val", size)
    known = look_of(train)
    assert flagged(val, known) <= 0.05
    assert flagged([255 - image for image in val], known) == 1
    assert flagged([image // 16 for image in val], known) == 1
    assert flagged([resize_grey(image, *size) for image in held_out], known) == 1
    wrists = sorted((SHARED / "wrist/images").glob("*.png"))[:20]
    assert flagged([resize_grey(read_grey(file), *size) for file in wrists], known) == 1
    # The other way round: teeth are unlike phantoms.
    drawn = look_of(prepared({"unlabelled": 48}))
    teeth = [np.asarray(Image.fromarray(image).resize(SIZE)) for image in val]
    assert flagged(teeth, drawn) == 1
