"""What is written for CVAT has CVAT's form, and comes back through our reader as it was."""

import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from samcarry.formats.cvat import read_cvat, write_cvat
from samcarry.formats.rasterise import draw
from samcarry.formats.run_lengths import encode_image, encode_runs

CLASSES = ["Os capitatum", "Zahn Ⅴ \"a\" b & 'c'", "Knöchel"]
MASKS = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: arrays(bool, (3, *shape), elements=st.booleans(), fill=st.just(False))
)
RING = np.ones((3, 3), bool)
RING[1, 1] = False


@settings(max_examples=40)
@given(st.lists(MASKS.filter(np.any), min_size=1, max_size=3))
def test_masks_come_back_by_label_and_attribute(cases):
    # By labels alone: test_there_and_back.py.
    choice = {"label": "Knochen", "attribute": "Anatomie"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations.xml"
        images = (encode_image(f"Ä & {n}.png", masks) for n, masks in enumerate(cases))
        write_cvat(path, images, CLASSES, **choice)
        back = read_cvat(path, **choice)
    assert [image.name for image in back] == [f"Ä & {n}.png" for n in range(len(cases))]
    for image, masks in zip(back, cases, strict=True):
        drawn = draw(image, *masks.shape[1:], [])
        assert set(drawn) == {name for name, mask in zip(CLASSES, masks, strict=True) if mask.any()}
        for name, mask in drawn.items():
            np.testing.assert_array_equal(mask, masks[CLASSES.index(name)])


@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_runs_are_the_reverse_of_their_decoding(bitmap):
    runs = encode_runs(bitmap)
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    np.testing.assert_array_equal(pixels.reshape(bitmap.shape), bitmap)
    assert min(runs[1:], default=1) > 0  # CVAT's own never hold a run of none but in front


def test_the_file_is_as_cvat_writes_it(tmp_path):
    masks = np.zeros((3, 5, 7), bool)
    masks[0, 1:4, 2:5] = RING
    write_cvat(tmp_path / "a.xml", [encode_image("a.png", masks)], CLASSES)
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert (root.tag, root.findtext("version")) == ("annotations", "1.1")
    labels = root.findall("meta/task/labels/label")
    assert [label.findtext("name") for label in labels] == CLASSES
    assert len({label.findtext("color") for label in labels}) == 3
    image = root.find("image")
    assert image.attrib == {"id": "0", "name": "a.png", "width": "7", "height": "5"}
    (mask,) = image
    told = {key: mask.get(key) for key in ("label", "left", "top", "width", "height", "rle", "z_order")}
    assert told == {
        **{"label": "Os capitatum", "left": "2", "top": "1", "width": "3", "height": "3"},
        **{"rle": "0, 4, 1, 4", "z_order": "0"},
    }


def test_the_class_may_be_an_attribute_as_in_the_wrist_study(tmp_path):
    images = [encode_image("a.png", np.ones((3, 2, 2), bool))]
    write_cvat(tmp_path / "a.xml", images, CLASSES, label="Knochen", attribute="Anatomie")
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert root.findtext("meta/task/labels/label/attributes/attribute/values").split("\n") == CLASSES
    assert {mask.get("label") for mask in root.iter("mask")} == {"Knochen"}
    assert [mask.findtext("attribute") for mask in root.iter("mask")] == CLASSES
    with pytest.raises(ValueError, match="go together"):
        write_cvat(tmp_path / "b.xml", images, CLASSES, label="Knochen")


def test_a_run_that_breaks_off_leaves_no_file(tmp_path):
    def images():
        yield encode_image("a.png", np.ones((3, 2, 2), bool))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cvat(tmp_path / "a.xml", images(), CLASSES)
    assert list(tmp_path.iterdir()) == []
