"""Label maps: numbers, palettes and colours become the shapes of classes, and unnamed values are refused."""

import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from samcarry.errors import InputError
from samcarry.formats.class_tables import parse_class_table, read_class_table, write_class_table
from samcarry.formats.label_maps import label_map, read_label_map, write_label_map
from samcarry.geometry.rasterise import draw_masks
from support.deep_images import write_png
from support.drawn_annotations import drawn

NUMBERS = np.array([[0, 1, 1], [2, 2, 0]], np.uint8)
COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 128, 255)], np.uint8)
NAMED = {"1": "radius", "2": "ulna"}
IN_COLOUR = {"#ff0000": "radius", "#0080ff": "ulna"}
RADIUS, ULNA = (NUMBERS == 1).tolist(), (NUMBERS == 2).tolist()


def palette():
    image = Image.fromarray(NUMBERS, "P")
    image.putpalette(COLOURS.ravel().tolist())
    return image


def read(path, given=None, map_class=None):
    """The masks by class."""
    table = None if given is None else parse_class_table(given, "the table")
    (annotation,) = read_label_map(
        path, **({} if map_class is None else {"map_class": map_class}), table=table
    )
    return {name: mask.tolist() for name, mask in drawn(annotation).items()}


def refused(path, given=None):
    with pytest.raises(InputError) as caught:
        read(path, given)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: ")
    return line


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(NUMBERS),
        Image.fromarray(NUMBERS.astype(np.uint16)),
        Image.fromarray(NUMBERS.astype(np.int32)),
        Image.fromarray(np.repeat(NUMBERS[..., None], 3, axis=2)),
        palette(),
    ],
    ids=["8 bit", "16 bit", "32 bit", "grey as RGB", "palette"],
)
def test_numbers_of_every_depth_are_named_by_the_table(tmp_path, image):
    for suffix in ("tif", "png")[: 1 if image.mode == "I" else 2]:
        path = tmp_path / f"a.{suffix}"
        image.save(path)
        assert read(path, NAMED) == {"radius": RADIUS, "ulna": ULNA}


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_grey_numbers_are_those_that_are_stored(tmp_path, bits):
    path = write_png(tmp_path / "a.png", NUMBERS, bits)
    assert read(path, NAMED) == read(path, None, NAMED.__getitem__) == {"radius": RADIUS, "ulna": ULNA}


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_numbers_of_a_tiff_are_those_that_are_stored(tmp_path, bits):
    path = tmp_path / "a.tif"
    packed = np.packbits(np.unpackbits(NUMBERS[..., None], axis=-1)[..., 8 - bits :].reshape(2, -1), axis=1)
    Image.new("1", (3, 2)).save(path, compression="raw", tiffinfo={258: bits, 278: 2})
    with Image.open(path) as image:
        (offset,) = image.tag_v2[273]
    path.write_bytes(path.read_bytes()[:offset] + packed.tobytes())
    assert read(path, NAMED) == {"radius": RADIUS, "ulna": ULNA}


def test_one_bit_is_the_number_1(tmp_path):
    path = write_png(tmp_path / "a.png", NUMBERS % 2, 1)
    assert read(path, {"1": "radius"}) == {"radius": RADIUS}


def test_grey_of_few_bits_is_a_colour_where_the_table_has_colours_only(tmp_path):
    path = write_png(tmp_path / "a.png", np.where(NUMBERS == 1, 15, 0), 4)
    assert read(path, {"#ffffff": "radius"}) == {"radius": RADIUS}


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colours_and_alpha_of_16_bits_are_refused(tmp_path, channels):
    pixels = np.full((2, 3, channels), 300, np.uint16)
    assert "16 bits each" in refused(write_png(tmp_path / "a.png", pixels, 16))


@pytest.mark.parametrize(
    "image",
    [palette(), Image.fromarray(COLOURS[NUMBERS]), Image.fromarray(COLOURS[NUMBERS]).convert("RGBA")],
    ids=["palette", "RGB", "RGBA"],
)
def test_colours_are_named_by_a_table_of_colours(tmp_path, image):
    image.save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", IN_COLOUR) == {"radius": RADIUS, "ulna": ULNA}


def test_what_is_transparent_is_background_whatever_its_colour(tmp_path):
    pixels = np.dstack([COLOURS[NUMBERS], np.full(NUMBERS.shape, 255, np.uint8)])
    pixels[0, 0] = (1, 2, 3, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png", IN_COLOUR) == {"radius": RADIUS, "ulna": ULNA}


def test_without_a_table_numbers_are_class_names(tmp_path):
    Image.fromarray(NUMBERS).save(tmp_path / "a.png")
    assert read(tmp_path / "a.png") == {"1": RADIUS, "2": ULNA}
    renamed = {"1": "bone", "2": None}
    assert read(tmp_path / "a.png", map_class=renamed.get) == {"bone": RADIUS}


def test_zero_is_a_class_where_the_table_names_it_and_several_values_may_be_one_class(tmp_path):
    Image.fromarray(NUMBERS).save(tmp_path / "a.png")
    given = {"0": "rest", "1": "bone", "2": "bone"}
    assert read(tmp_path / "a.png", given) == {
        "rest": (NUMBERS == 0).tolist(),
        "bone": (NUMBERS > 0).tolist(),
    }


def test_unnamed_values_are_reported_with_count_and_place(tmp_path):
    Image.fromarray(NUMBERS).save(tmp_path / "a.png")
    line = refused(tmp_path / "a.png", {"1": "radius"})
    assert "holds values that the table does not name: value 2 (2 pixels, first in row 1, column 0)" in line
    noise = np.arange(300, dtype=np.uint16).reshape(10, 30)
    Image.fromarray(noise).save(tmp_path / "b.png")
    assert "and 295 more" in refused(tmp_path / "b.png", {"1": "radius"})


@pytest.mark.parametrize(
    ("pixels", "given", "message"),
    [
        (COLOURS[NUMBERS], None, "is in colours; name them in a table"),
        (COLOURS[NUMBERS], NAMED, "is in colours; name them in a table"),
        (NUMBERS.astype(np.uint16), IN_COLOUR, "outside 0 to 255, the limit of the table's colours"),
        (NUMBERS.astype(np.int32) * -1, NAMED, "outside 0 to 65535"),
        (NUMBERS.astype(np.int32) * 70000, NAMED, "outside 0 to 65535"),
        (NUMBERS.astype(np.float32), NAMED, "neither whole numbers nor colours"),
        (np.arange(257, dtype=np.uint16)[None], None, "257 different numbers, like a photograph"),
    ],
    ids=["colours", "colours, table of numbers", "deep", "negative", "32 bit", "float", "photograph"],
)
def test_other_images_than_label_maps_are_refused(tmp_path, pixels, given, message):
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    assert message in refused(tmp_path / "a.tif", given)


def test_lossy_and_inverted_files_are_refused(tmp_path):
    Image.fromarray(NUMBERS).save(tmp_path / "a.png", format="JPEG")
    assert "not a PNG, TIFF file" in refused(tmp_path / "a.png")
    Image.fromarray(NUMBERS.astype(np.uint16)).save(tmp_path / "b.tif", tiffinfo={262: 0})
    assert "white is 0" in refused(tmp_path / "b.tif")


def test_an_invalid_class_name_is_reported_with_its_value(tmp_path):
    Image.fromarray(NUMBERS).save(tmp_path / "a.png")
    assert "value 1 has the class 'left/radius'" in refused(
        tmp_path / "a.png", {"1": "left/radius", "2": "b"}
    )


@pytest.mark.parametrize("classes", [3, 300], ids=["palette", "16 bit"])
@settings(max_examples=20)
@given(data=st.data())
def test_our_own_export_is_read_back_unchanged(tmp_path_factory, classes, data):
    folder = tmp_path_factory.mktemp("there")
    masks = np.zeros((classes, 7, 5), dtype=bool)
    masks[-3:] = data.draw(arrays(bool, (3, 7, 5)))
    names = [f"class {number}" for number in range(classes)]
    write_label_map(folder / "a.png", masks)
    write_class_table(folder / "classes.csv", names)
    (annotation,) = read_label_map(folder / "a.png", table=read_class_table(folder / "classes.csv"))
    numbers = np.zeros((7, 5), np.uint16)
    for name, mask in draw_masks(annotation, 7, 5, []).items():
        numbers[mask] = names.index(name) + 1
    assert numbers.tolist() == label_map(masks).tolist()


CLASSES = ["Radius", "Os capitatum", "Zahn Ⅴ"]
# Arbitrary pixels, so holes, overlaps, single pixels and empty classes occur.
MASKS = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: arrays(bool, (3, *shape), elements=st.booleans(), fill=st.just(False))
)


@settings(max_examples=40)
@given(MASKS)
def test_a_label_map_png_holds_the_numbers(masks):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        write_label_map(path, masks)
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), label_map(masks))
        np.testing.assert_array_equal(label_map(masks) > 0, masks.any(axis=0))


def test_the_smaller_class_is_kept_wherever_it_is_in_the_list():
    masks = np.zeros((3, 4, 4), bool)
    masks[0, 0, 0] = masks[1] = masks[2, :2] = True
    assert label_map(masks).tolist() == [[1, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [2, 2, 2, 2]]


def test_of_equal_classes_the_later_is_kept():
    assert (label_map(np.ones((2, 2, 2), bool)) == 2).all()


def test_more_than_255_classes_have_a_16_bit_label_map(tmp_path):
    masks = np.eye(300, dtype=bool).reshape(300, 10, 30)
    write_label_map(tmp_path / "a.png", masks)
    assert np.asarray(Image.open(tmp_path / "a.png")).ravel().tolist() == list(range(1, 301))


def test_a_label_map_shows_the_colours_of_the_table(tmp_path):
    masks = np.eye(3, dtype=bool).reshape(3, 1, 3)
    write_label_map(tmp_path / "a.png", masks)
    write_class_table(tmp_path / "classes.csv", CLASSES)
    with (tmp_path / "classes.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["number"], row["class"]) for row in rows[1:]] == [
        (str(number), name) for number, name in enumerate(CLASSES, 1)
    ]
    shown = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))[0]
    assert shown.tolist() == [[int(row[key]) for key in ("red", "green", "blue")] for row in rows[1:]]
