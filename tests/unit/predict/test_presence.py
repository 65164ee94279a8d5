"""Models that judge whether a class is there."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from samcarry.confidence.fitted import Confidence
from samcarry.errors import InputError
from samcarry.predict.arrays import predict_masks
from samcarry.predict.models import Model, load_model
from samcarry.predict.new_images import predict_folder
from samcarry.predict.promises import Asked, check_asked
from samcarry.predict.release import release
from samcarry.presence.anatomy import find_objects, measure_anatomy
from samcarry.presence.evidence import NAMES
from samcarry.presence.judgement import Presence, presence_as_json
from support.tiny_models import save_tiny_model


def by_area(*, below):
    """A judgement by the area only: absent below so many standard deviations of the usual area."""
    masks = np.zeros((2, 16, 16), bool)
    masks[:, 4:12, 4:12] = True
    weight = tuple(float(name == "area") for name in NAMES)
    anatomy = measure_anatomy([find_objects(masks)])
    return Presence(anatomy, (0.0,) * 7, (1.0,) * 7, weight, 0.0, below, below)


def two_boxes(images):
    """Probabilities of a large box, and of a small one beside it, whatever the image shows."""
    found = np.zeros((len(images), 2, 16, 16), np.uint8)
    found[:, 0, 4:12, 4:12] = 250
    found[:, 1, 4:6, 12:14] = 250
    return found


MODEL = Model(two_boxes, ("large", "small"), (16, 16), 0.5, 0.25, None, "0" * 64)
JUDGING = replace(MODEL, presence=by_area(below=-2.0))
IMAGE = np.full((32, 32), 90, np.uint8)


def test_masks_of_absent_classes_are_removed():
    assert predict_masks(MODEL, IMAGE).any(axis=(1, 2)).tolist() == [True, True]
    masks = predict_masks(JUDGING, IMAGE)
    assert masks.any(axis=(1, 2)).tolist() == [True, False]
    np.testing.assert_array_equal(masks[0], predict_masks(MODEL, IMAGE)[0])


@pytest.fixture
def images(tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(IMAGE).save(tmp_path / "images/a.png")
    return tmp_path / "images"


def test_the_table_of_images_names_them(tmp_path, images):
    predict_folder(JUDGING, images, tmp_path / "out", ["png"])
    with (tmp_path / "out/images.csv").open(newline="") as stream:
        [row] = csv.DictReader(stream)
    assert row["absent"] == "small"
    assert [path.name for path in (tmp_path / "out/masks/a").iterdir()] == ["large.png"]


def test_a_model_that_could_not_be_fitted_says_so(tmp_path, images, caplog):
    unfitted = replace(MODEL, presence=replace(by_area(below=-2.0), fault="too few absences"))
    predict_folder(unfitted, images, tmp_path / "out", ["png"])
    assert "no class is judged absent: too few absences" in caplog.text
    assert len(list((tmp_path / "out/masks/a").iterdir())) == 2


def test_nothing_is_promised_of_masks_that_may_be_removed():
    calibrated = replace(JUDGING, confidence=Confidence(9, (), ()))
    with pytest.raises(InputError, match="nothing can be promised of a model that removes classes"):
        check_asked(calibrated, Asked(coverage=0.9), window=None, tta=False)


def test_a_model_file_and_its_release_have_the_judgement(tmp_path):
    entry = presence_as_json(by_area(below=-2.0))
    path = save_tiny_model(tmp_path / "model.safetensors", presence=entry)
    release(path, tmp_path / "released")
    for file in (path, tmp_path / "released/model.safetensors"):
        presence = load_model(file, "cpu").presence
        assert presence is not None
        assert presence_as_json(presence) == entry


def test_a_judgement_for_other_classes_is_refused(tmp_path):
    entry = presence_as_json(by_area(below=-2.0)) | {"weight": [1.0]}
    path = save_tiny_model(tmp_path / "model.safetensors", presence=entry)
    with pytest.raises(InputError, match="damaged"):
        load_model(path, "cpu")
