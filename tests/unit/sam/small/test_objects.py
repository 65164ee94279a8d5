"""Genuine images with object maps: read as they are, and drawn by source, then image, then object."""

import numpy as np
import pytest
from PIL import Image

from samcarry.sam.small.objects import (
    HELD_OUT_SOURCES,
    OPEN_SOURCES,
    draw_picture,
    image_files,
    read_maps,
    read_picture,
    to_grey,
    vary_grey,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def write(folder, name, *maps, grey=100):
    folder.mkdir(exist_ok=True)
    height, width = maps[0].shape
    Image.fromarray(np.full((height, width, 3), grey, np.uint8)).save(folder / f"{name}.jpg")
    for place, values in enumerate(maps):
        suffix = ".png" if len(maps) == 1 else f".{place}.png"
        Image.fromarray(values).save(folder / f"{name}{suffix}")


def numbered(*squares, kind=np.uint8, size=(60, 80)):
    values = np.zeros(size, kind)
    for number, (row, column, side) in squares:
        values[row : row + side, column : column + side] = number
    return values


@pytest.fixture
def sources(tmp_path):
    write(tmp_path / "one", "a", numbered((1, (5, 5, 20)), (2, (5, 25, 20)), (3, (50, 70, 3))))
    overlapping = numbered((1, (10, 10, 30))), numbered((1, (20, 20, 30)), (2, (0, 60, 12)))
    write(tmp_path / "two", "b[1].x", *overlapping, grey=200)
    write(tmp_path / "two", "c", numbered((300, (10, 10, 10)), kind=np.uint16), grey=200)
    return tmp_path


def test_the_images_of_each_source_are_found(sources):
    files = image_files(sources, ["two", "one"])
    assert [file.name for file in files["two"]] == ["b[1].x.jpg", "c.jpg"]


def test_a_source_without_images_is_named(sources):
    with pytest.raises(FileNotFoundError, match="three"):
        image_files(sources, ["three"])


def test_all_maps_of_an_image_are_read_and_numbers_beyond_a_byte_stay(sources):
    assert len(read_maps(sources / "two" / "b[1].x.jpg")) == 2
    assert read_maps(sources / "two" / "c.jpg")[0].max() == 300


def test_overlapping_objects_keep_their_whole_masks(sources):
    areas = set()
    for seed in range(12):
        picture = read_picture(rng(seed), sources / "two" / "b[1].x.jpg", complete=False)
        areas.add(int(picture.masks[0].sum()))
        assert picture.occupied.sum() == 900 + 900 - 400 + 144
    assert areas == {900, 144}


def test_the_object_to_show_comes_first_and_its_neighbours_follow(sources):
    picture = read_picture(rng(), sources / "one" / "a.jpg", complete=True)
    assert picture.masks.shape == (2, 60, 80)
    assert not (picture.masks[0] & picture.masks[1]).any()


def test_objects_of_a_few_pixels_are_not_asked_for_and_still_occupy_their_place(sources):
    for seed in range(12):
        picture = read_picture(rng(seed), sources / "one" / "a.jpg", complete=True)
        assert picture.masks.sum(axis=(1, 2)).min() == 400
        assert picture.occupied[51, 71]


def test_an_image_with_tiny_objects_only_gives_none(tmp_path):
    write(tmp_path / "one", "a", numbered((1, (5, 5, 4))))
    assert read_picture(rng(), tmp_path / "one" / "a.jpg", complete=True) is None


def test_sources_are_drawn_equally_often_however_many_images_they_have(sources):
    files = image_files(sources, ["one", "two"])
    bright = [draw_picture(rng(seed), files).image.mean() > 150 for seed in range(200)]
    assert 70 < sum(bright) < 130


def test_nothing_held_out_is_left_among_those_to_train_on():
    trained = set(OPEN_SOURCES) - set(HELD_OUT_SOURCES)
    assert {"covid_cxr_v7", "covid_cxr_radiologists"} <= trained, "they share images: both or neither"
    assert len(trained) >= 4


def test_grey_is_a_mixture_of_the_channels():
    image = np.zeros((4, 5, 3), np.uint8)
    image[..., 0], image[..., 2] = 40, 200
    for seed in range(10):
        grey = to_grey(rng(seed), image)
        assert grey.shape == (4, 5)
        assert 0 <= grey.min() <= grey.max() <= 200
    assert to_grey(rng(), image[..., 0]) is not None


def test_exposures_differ_and_keep_size_and_type():
    image = rng().integers(0, 256, (30, 40), dtype=np.uint8)
    varied = [vary_grey(rng(seed), image) for seed in range(10)]
    assert all(grey.shape == (30, 40) and grey.dtype == np.uint8 for grey in varied)
    assert len({grey.tobytes() for grey in varied}) == 10
