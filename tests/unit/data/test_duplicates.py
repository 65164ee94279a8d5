"""Images of val and test that are in another split too are found, and different images are not."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from samcarry.data.cases import Case
from samcarry.data.duplicates import Duplicates, appearance_of, find_duplicates
from samcarry.data.phantoms import draw_phantoms

PHANTOMS = [
    phantom.image
    for phantom in draw_phantoms(
        counts={"train": 4, "val": 4, "test": 4, "unlabelled": 20}, seed=3, height=192, width=160
    )
]


def find(images: dict[str, tuple[str, np.ndarray]], **settings) -> Duplicates:
    """The duplicates among {case: (split, image)}."""
    cases = [
        Case(name, name, split, None, Path(f"images/{name}.png"), None) for name, (split, _) in images.items()
    ]
    return find_duplicates(
        cases, {name: appearance_of(image) for name, (_, image) in images.items()}, **settings
    )


def jpeg(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=40)
    return np.asarray(Image.open(stream))


def resized(image):
    return np.asarray(Image.fromarray(image).resize((110, 140), Image.Resampling.BILINEAR))


CHANGES = {
    "compressed": jpeg,
    "scaled": resized,
    "mirrored": lambda image: image[:, ::-1],
    "inverted": lambda image: 255 - image,
    "brighter": lambda image: np.clip(image.astype(int) + 30, 0, 255).astype(np.uint8),
    "gamma": lambda image: (255 * (image / 255) ** 0.6).astype(np.uint8),
    "contrast": lambda image: np.asarray(ImageOps.autocontrast(Image.fromarray(image), cutoff=2)),
    "one pixel": lambda image: np.where(np.arange(image.size).reshape(image.shape) == 5, 255, image).astype(
        np.uint8
    ),
    "all": lambda image: jpeg(resized(np.ascontiguousarray(image[:, ::-1]))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_looks_alike(change):
    for image in PHANTOMS[:4]:
        found = find({"a": ("train", image), "b": ("test", CHANGES[change](image))})
        (line,) = found.warnings
        assert "images/a.png (in train) and images/b.png (in test) look alike" in line
        assert '["a", "b"] to `accepted_duplicates`' in line
        assert ("mirrored" in line) == (change in ("mirrored", "all"))
        assert (found.faults, found.left_out) == ([], set())


def test_different_images_do_not():
    splits = ["train", "test", "val", "unlabelled"]
    images = {f"{number}": (splits[number % 4], image) for number, image in enumerate(PHANTOMS)}
    assert find(images) == Duplicates()


@pytest.mark.parametrize(("one", "other"), [("train", "test"), ("train", "val"), ("val", "test")])
def test_the_same_image_in_two_labelled_splits_is_a_fault(one, other):
    found = find({"a": (one, PHANTOMS[0]), "b": (other, PHANTOMS[0]), "c": ("train", PHANTOMS[1])})
    (line,) = found.faults
    assert f"images/a.png (in {one}) and images/b.png (in {other}) are the same image" in line
    assert (found.warnings, found.left_out) == ([], set())


def test_an_unlabelled_copy_of_a_test_image_is_left_out_with_a_warning():
    found = find({"a": ("unlabelled", PHANTOMS[0]), "b": ("test", PHANTOMS[0])})
    assert (found.faults, found.left_out) == ([], {"a"})
    assert "are the same image: left out a" in found.warnings[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [("train", "train"), ("test", "test"), ("train", "unlabelled"), ("unlabelled", "unlabelled")],
)
def test_the_same_image_twice_elsewhere_is_no_leak(one, other):
    assert find({"a": (one, PHANTOMS[0]), "b": (other, PHANTOMS[0])}) == Duplicates()


def test_another_size_is_another_image_even_if_all_bytes_are_equal():
    flat = np.zeros((4, 6), np.uint8)
    assert find({"a": ("train", flat), "b": ("test", flat.T)}) == Duplicates()
    assert find({"a": ("train", flat), "b": ("test", flat)}).faults


def test_settings_of_what_looks_alike():
    images = {"a": ("train", PHANTOMS[0]), "b": ("test", jpeg(PHANTOMS[0]))}
    assert find(images, near_duplicates="ignore") == Duplicates()
    assert find(images, near_duplicates="refuse").faults == find(images).warnings
    assert find(images, accepted_duplicates=[["b", "a"]]) == Duplicates()


def test_equal_images_are_accepted_in_named_pairs_only():
    images = {"a": ("train", PHANTOMS[0]), "b": ("test", PHANTOMS[0])}
    assert find(images, near_duplicates="ignore").faults
    assert find(images, accepted_duplicates=[["a", "b"]]) == Duplicates()


def test_many_pairs_are_counted():
    copies = [np.roll(PHANTOMS[0], shift, axis=0) for shift in range(2)]
    images = {f"a{number}": ("train", jpeg(copies[0])) for number in range(60)}
    found = find(images | {"b": ("test", copies[0])})
    assert len(found.warnings) == 51
    assert found.warnings[-1] == "... and 10 more images that look alike"
