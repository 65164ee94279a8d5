"""Calibrated models: probabilities, masks with a guarantee, bounds of Dice, and images that are too new."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from samcarry.confidence.calibration import calibrated_values
from samcarry.confidence.fitted import confidence_as_json, fit_confidence
from samcarry.confidence.measures import measure
from samcarry.confidence.shown import shown_images
from samcarry.errors import InputError
from samcarry.images.grey import resize_grey
from samcarry.images.masks import read_mask
from samcarry.networks.unet import load_unet
from samcarry.predict.models import load_model
from samcarry.predict.new_images import predict_folder
from samcarry.predict.onnx_export import write_onnx
from samcarry.predict.release import release
from samcarry.predict.views import VIEWS, predict_views
from support.tiny_models import save_tiny_model

CLASSES = ["a", "b"]
SIZE = (16, 32)


def image_of(rng):
    return rng.integers(0, 256, (24, 40), np.uint8)


def confidence_of(model, patients, *, shown=True):
    """The confidence of a model that was right, up to a pixel, in class a of some patients."""
    rng = np.random.default_rng(1)
    measured, features = [], []
    for place in range(patients):
        prepared = resize_grey(image_of(rng), *SIZE)
        values = model.predict(prepared[None])[0]
        features.append(model.features(prepared[None])[0])
        truth = values[0] > 127
        truth[:, :1] ^= True
        measured.append(measure(str(place), str(place), "a", values[0], truth))
        measured.append(measure(str(place), str(place), "b", values[1], np.zeros(SIZE, bool)))
    learned = np.array([resize_grey(image_of(rng), *SIZE) for _ in range(40)])
    patients_of = list(map(str, range(patients)))
    about = shown_images(model.features(learned), np.array(features), patients_of)
    return fit_confidence(measured, CLASSES, about if shown else None)


def save_calibrated(path, patients=12, **about):
    plain = load_model(save_tiny_model(path, classes=CLASSES, window=None), "cpu")
    entry = confidence_as_json(confidence_of(plain, patients, **about))
    entry["temperature"] = [2.0, 0.5]
    return save_tiny_model(path, classes=CLASSES, window=None, confidence=entry)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for name in "xy":
        Image.fromarray(image_of(rng)).save(folder / f"{name}.png")
    return folder


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_masks_do_not_depend_on_calibration(tmp_path, images):
    plain = load_model(save_tiny_model(tmp_path / "p.safetensors", classes=CLASSES, window=None), "cpu")
    model = load_model(save_calibrated(tmp_path / "m.safetensors"), "cpu")
    predict_folder(plain, images, tmp_path / "plain", ["png"])
    predict_folder(model, images, tmp_path / "out", ["png"], coverage=0.8, probabilities=True)
    for file in (tmp_path / "plain/masks").rglob("*.png"):
        ours = tmp_path / "out" / file.relative_to(tmp_path / "plain")
        assert file.read_bytes() == ours.read_bytes()
    assert not (tmp_path / "plain/confidence.csv").exists()


def test_probabilities_are_calibrated(tmp_path, images):
    model = load_model(save_calibrated(tmp_path / "m.safetensors"), "cpu")
    predict_folder(model, images, tmp_path / "out", ["png"], probabilities=True)
    grey = np.asarray(Image.open(images / "x.png"))
    raw = model.predict(resize_grey(grey, *SIZE)[None])[0]
    written = np.asarray(Image.open(tmp_path / "out/probabilities/x/b.png"))
    assert written.dtype == np.uint8
    np.testing.assert_array_equal(written, calibrated_values(0.5)[resize_grey(raw[1], *grey.shape)])
    assert not (tmp_path / "out/outer").exists()
    rows = rows_of(tmp_path / "out/confidence.csv")
    assert [row["dice_at_least"] for row in rows] == [""] * 4
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)


def test_masks_with_a_guarantee_are_written(tmp_path, images):
    model = load_model(save_calibrated(tmp_path / "m.safetensors"), "cpu")
    predict_folder(model, images, tmp_path / "out", ["png"], coverage=0.9)
    rows = rows_of(tmp_path / "out/confidence.csv")
    assert [(row["case"], row["class"]) for row in rows] == [
        (case, name) for case in "xy" for name in CLASSES
    ]
    for row in rows:
        if row["class"] == "b":  # no validation patient has it
            assert "cannot promise: needs at least 9 validation patients, there are 0" in row["remark"]
            continue
        assert row["remark"] == ""
        assert 0 <= float(row["dice_at_least"]) <= 1
        outer, inner = (
            read_mask(tmp_path / "out" / kind / f"{row['case']}/a.png") for kind in ("outer", "inner")
        )
        assert (inner <= outer).all()
        assert outer.shape == (24, 40)
    assert not (tmp_path / "out/outer/x/b.png").exists()
    assert all(row["dice_at_least"] for row in rows_of(tmp_path / "out/images.csv"))


def test_a_call_goes_on_with_what_it_promised(tmp_path, images, monkeypatch):
    model = load_model(save_calibrated(tmp_path / "m.safetensors"), "cpu")
    predict_folder(model, images, tmp_path / "whole", ["png"], coverage=0.9)
    with monkeypatch.context() as patch:
        from samcarry.predict import new_images

        patch.setattr(new_images, "write_table", lambda *_: (_ for _ in ()).throw(InputError("stopped")))
        with pytest.raises(InputError):
            predict_folder(model, images, tmp_path / "out", ["png"], coverage=0.9)
    predict_folder(model, images, tmp_path / "out", ["png"], coverage=0.9)
    for file in (tmp_path / "whole").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "out" / file.relative_to(tmp_path / "whole")).read_bytes()


def test_too_few_validation_patients_promise_nothing(tmp_path, images, caplog):
    model = load_model(save_calibrated(tmp_path / "m.safetensors", patients=8), "cpu")
    predict_folder(model, images, tmp_path / "out", ["png"], coverage=0.9)
    assert "cannot promise for 2 of 2 classes: needs at least 9 validation patients, a has 8" in caplog.text
    assert not (tmp_path / "out/outer").exists()
    rows = rows_of(tmp_path / "out/confidence.csv")
    assert {row["dice_at_least"] for row in rows if row["class"] == "a"} == {""}


def test_an_image_outside_of_what_was_shown_is_promised_nothing(tmp_path, images):
    def features(prepared):  # those of a network with random weights hardly differ between images
        return np.stack([prepared.mean((1, 2)), prepared.std((1, 2))], axis=1)

    rng = np.random.default_rng(3)
    like = np.array([resize_grey(image_of(rng), *SIZE) for _ in range(70)])
    shown = shown_images(features(like[:40]), features(like[40:]), list(map(str, range(30))))
    model = load_model(save_calibrated(tmp_path / "m.safetensors", patients=30), "cpu")
    model = replace(model, features=features, confidence=replace(model.confidence, shown=shown))
    Image.fromarray(np.tile(np.arange(40, dtype=np.uint8) * 6, (24, 1))).save(images / "ramp.png")
    predict_folder(model, images, tmp_path / "out", ["png"], coverage=0.9)
    table = {row["case"]: row for row in rows_of(tmp_path / "out/images.csv")}
    assert table["ramp"]["outside"] == "1"
    assert "outside of what this model was shown" in table["ramp"]["remark"]
    assert float(table["ramp"]["p_like"]) == pytest.approx(1 / 31, abs=1e-4)
    assert table["ramp"]["dice_at_least"] == ""
    assert not (tmp_path / "out/outer/ramp").exists()
    assert (tmp_path / "out/masks/ramp").exists()
    assert table["x"]["outside"] == "0"


def test_what_a_model_cannot_give_is_refused(tmp_path, images):
    plain = load_model(save_tiny_model(tmp_path / "p.safetensors", classes=CLASSES), "cpu")
    model = load_model(save_calibrated(tmp_path / "m.safetensors"), "cpu")
    out = tmp_path / "out"
    for options, text in (
        ({"coverage": 0.9}, "--coverage: this model was not calibrated"),
        ({"probabilities": True}, "--probabilities: this model was not calibrated"),
    ):
        with pytest.raises(InputError, match=text):
            predict_folder(plain, images, out, ["png"], **options)
    for options, text in (
        ({"coverage": 1.0}, "not between 0 and 1"),
        ({"coverage": 0.9, "tta": True}, "--tta"),
        ({"coverage": 0.9, "window": (0, 100)}, "--window"),
    ):
        with pytest.raises(InputError, match=text):
            predict_folder(model, images, out, ["png"], **options)


def test_onnx_and_released_models_keep_their_confidence(tmp_path):
    path = save_calibrated(tmp_path / "m.safetensors")
    network, about = load_unet(path)
    write_onnx(tmp_path / "m.onnx", network, about)
    release(path, tmp_path / "released")
    own = load_model(path, "cpu").confidence
    onnx, released = (
        load_model(tmp_path / "m.onnx"),
        load_model(tmp_path / "released/model.safetensors", "cpu"),
    )
    assert confidence_as_json(onnx.confidence) == confidence_as_json(own)
    assert onnx.features is None
    assert confidence_as_json(released.confidence) == confidence_as_json(own)


@pytest.mark.parametrize("damage", ["x", {"version": 1}, {"version": 9}, []])
def test_damaged_confidence_is_refused_in_one_line(tmp_path, damage):
    path = save_tiny_model(tmp_path / "m.safetensors", confidence=damage)
    with pytest.raises(InputError) as caught:
        load_model(path, "cpu")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_views_are_put_back_in_place():
    rows, columns = np.mgrid[:48, :64]
    image = (255 / (1 + np.exp(np.hypot(rows - 20, columns - 34) - 10))).round().astype(np.uint8)
    seen = []

    def predict(images):
        seen.append(images[0])
        return images[:, None]  # a network whose probability is the grey value

    mean = predict_views(predict, image)[0]
    assert len(seen) == len(VIEWS) == 5
    assert sum(np.array_equal(one, image) for one in seen) == 1
    assert np.abs(mean.astype(int) - image).max() < 40  # interpolation blurs the edge
    assert np.abs(mean.astype(int) - image).mean() < 1.5


def test_test_time_augmentation_is_an_option(tmp_path, images):
    model = load_model(save_tiny_model(tmp_path / "m.safetensors", classes=CLASSES), "cpu")
    cases, _ = predict_folder(model, images, tmp_path / "out", ["png"], tta=True)
    assert cases == ["x", "y"]
