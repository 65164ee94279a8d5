"""Properties of the phantom data set on which other rules depend."""

import csv
from itertools import islice

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from samcarry.data.contract import COLUMNS
from samcarry.data.phantoms import CLASSES, Phantom, draw_phantoms, write_dataset
from samcarry.errors import InputError

COUNTS = {"train": 15, "val": 10, "test": 15, "unlabelled": 20}


def draw(seed=3, height=96, width=112, **counts):
    return list(draw_phantoms(counts=counts, seed=seed, height=height, width=width))


@pytest.fixture(scope="module")
def phantoms():
    return list(draw_phantoms(counts=COUNTS, seed=0, height=192, width=192))


def assert_same(one: Phantom, other: Phantom):
    assert (one.case, one.patient, one.split) == (other.case, other.patient, other.split)
    np.testing.assert_array_equal(one.image, other.image)
    assert one.masks.keys() == other.masks.keys()
    for name in one.masks:
        np.testing.assert_array_equal(one.masks[name], other.masks[name])


def test_images_and_masks_match_the_docstring(phantoms):
    assert len(CLASSES) == len(set(CLASSES)) >= 8
    for phantom in phantoms:
        assert phantom.image.shape == (192, 192)
        assert phantom.image.dtype == np.uint8
        assert phantom.image.std() > 15, "the image is almost uniform"
        assert phantom.case.startswith(f"{phantom.patient}_")
        assert set(phantom.masks) <= set(CLASSES)
        for mask in phantom.masks.values():
            assert mask.shape == (192, 192)
            assert mask.dtype == bool


def test_each_split_has_the_requested_number_of_images(phantoms):
    splits = [phantom.split for phantom in phantoms]
    assert {split: splits.count(split) for split in COUNTS} == COUNTS
    assert len({phantom.case for phantom in phantoms}) == len(phantoms)


def test_no_patient_is_in_two_splits_and_some_have_several_images(phantoms):
    splits: dict[str, set[str]] = {}
    for phantom in phantoms:
        splits.setdefault(phantom.patient, set()).add(phantom.split)
    assert all(len(found) == 1 for found in splits.values())
    assert len(splits) < len(phantoms)


def test_images_of_one_patient_lack_the_same_classes(phantoms):
    present: dict[str, set[frozenset[str]]] = {}
    for phantom in phantoms:
        present.setdefault(phantom.patient, set()).add(frozenset(phantom.masks))
    assert all(len(found) == 1 for found in present.values())


@pytest.mark.parametrize("seed", range(5))
def test_the_first_training_case_shows_every_class(seed):
    assert set(draw(seed=seed, train=1)[0].masks) == set(CLASSES)


def test_some_classes_are_often_absent_and_others_never(phantoms):
    absent = [sum(name not in phantom.masks for phantom in phantoms) for name in CLASSES]
    rates = np.array(absent) / len(phantoms)
    assert ((rates > 0.2) & (rates < 0.6)).sum() >= 3
    assert (rates == 0).sum() >= 3


def test_a_class_is_one_component_of_reasonable_size(phantoms):
    for phantom in phantoms:
        for name, mask in phantom.masks.items():
            assert ndimage.label(mask)[1] == 1, (phantom.case, name)
            assert 60 <= mask.sum() < 0.2 * mask.size, (phantom.case, name)


def test_classes_overlap(phantoms):
    layers = [np.sum(list(phantom.masks.values()), axis=0) for phantom in phantoms]
    assert all((layer > 1).any() for layer in layers)
    assert 0.03 < np.mean([(layer > 1).sum() / (layer > 0).sum() for layer in layers]) < 0.3


def test_the_seed_determines_the_cases():
    first, again, other = draw(train=3, val=1), draw(train=3, val=1), draw(seed=4, train=3, val=1)
    for one, two in zip(first, again, strict=True):
        assert_same(one, two)
    assert not np.array_equal(first[0].image, other[0].image)


def test_a_case_does_not_change_when_counts_grow():
    grown = {phantom.case: phantom for phantom in draw(train=9, val=4, test=3, unlabelled=2)}
    for phantom in draw(train=4, test=2, unlabelled=1):
        assert_same(phantom, grown[phantom.case])


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 200), (200, 96)])
def test_other_image_sizes(height, width):
    phantom = draw(height=height, width=width, train=1)[0]
    assert phantom.image.shape == (height, width)
    assert set(phantom.masks) == set(CLASSES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"trian": 3}, "unknown split 'trian'"),
        ({"train": -1}, "0 or more"),
        ({"train": 1, "seed": -1}, "0 or more"),
        ({"train": 1, "height": 20}, "64 x 64"),
    ],
)
def test_invalid_arguments_are_rejected_at_once(arguments, words):
    with pytest.raises(InputError, match=words):
        draw(**arguments)


def test_the_written_data_set_has_the_documented_layout(tmp_path):
    phantoms = draw(train=5, val=1, unlabelled=2)
    write_dataset(phantoms[:2], tmp_path)  # an older data set that is replaced
    write_dataset(iter(phantoms), tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"images", "labels", "cases.csv"}
    assert {path.stem for path in (tmp_path / "images").iterdir()} == {p.case for p in phantoms}
    for phantom in phantoms:
        image = Image.open(tmp_path / "images" / f"{phantom.case}.png")
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), phantom.image)
        labels = {path.stem: path for path in (tmp_path / "labels" / phantom.case).iterdir()}
        assert labels.keys() == phantom.masks.keys()
        for name, path in labels.items():
            np.testing.assert_array_equal(np.asarray(Image.open(path)), phantom.masks[name] * 255)

    with (tmp_path / "cases.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["case"], row["patient"], row["split"]) for row in rows] == [
        (phantom.case, phantom.patient, phantom.split) for phantom in phantoms
    ]
    assert [row["order"] for row in rows] == ["0", "1", "2", "3", "4", "", "", ""]


def test_the_training_case_with_most_classes_comes_first_in_the_order(tmp_path):
    phantoms = draw(train=6)
    write_dataset(reversed(phantoms), tmp_path)
    with (tmp_path / "cases.csv").open(newline="") as stream:
        order = {row["case"]: int(row["order"]) for row in csv.DictReader(stream)}
    first = next(phantom for phantom in phantoms if order[phantom.case] == 0)
    assert len(first.masks) == len(CLASSES)
    assert sorted(order.values()) == list(range(6))


def test_a_failed_write_leaves_no_cases_csv(tmp_path):
    def fail():
        yield from islice(draw(train=2), 1)
        raise RuntimeError("killed")

    write_dataset(draw(train=1), tmp_path)
    with pytest.raises(RuntimeError, match="killed"):
        write_dataset(fail(), tmp_path)
    assert not (tmp_path / "cases.csv").exists()
