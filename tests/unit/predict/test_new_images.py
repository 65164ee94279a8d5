"""Masks match the image and have its size; folders and arrays are checked first."""

import csv
import json
from dataclasses import replace

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image
from pydicom import dcmread
from torch import nn

from samcarry.data.phantoms import draw_phantoms
from samcarry.errors import InputError
from samcarry.images.grey import resize_grey
from samcarry.images.masks import read_mask
from samcarry.images.training_look import measure_look, read_look
from samcarry.networks.prediction import predict
from samcarry.predict.arrays import predict_masks
from samcarry.predict.finding import find_new_images
from samcarry.predict.models import UNKNOWN, Model
from samcarry.predict.new_images import predict_folder
from samcarry.predict.options import read_measurements
from support.dicom_files import RADIOGRAPH
from support.dicom_files import write as write_dicom


class Threshold(nn.Module):
    """Replaces a U-Net: the first class is brighter than grey 128, the second class is the rest."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(4.0))

    def forward(self, x):
        return torch.cat([x, -x], dim=1) * self.scale


NETWORK = Threshold()
MODEL = Model(
    lambda images: predict(NETWORK, images, 0.5, 0.25),
    ("bright", "dark"),
    (64, 64),
    0.5,
    0.25,
    None,
    "0" * 64,
)


@pytest.mark.parametrize(("height", "width"), [(101, 67), (64, 64), (33, 250), (400, 301), (1, 1)])
def test_masks_have_the_images_size(height, width):
    assert predict_masks(MODEL, np.zeros((height, width), np.uint8)).shape == (2, height, width)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (203, 311), (640, 128), (51, 45)])
def test_the_mask_matches_the_bright_square(height, width):
    image = np.zeros((height, width), np.uint8)
    top, bottom, left, right = height // 8, height // 2, width // 4, 7 * width // 8
    image[top:bottom, left:right] = 255
    mask = predict_masks(MODEL, image)[0]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    found = [rows[0], rows[-1] + 1, columns[0], columns[-1] + 1]
    # An edge may move by half a pixel of the network, plus one pixel of the image for rounding.
    slack = [height / 128 + 1] * 2 + [width / 128 + 1] * 2
    assert (np.abs(np.subtract(found, [top, bottom, left, right])) <= slack).all()


def test_one_component_is_kept_only_if_asked_for():
    image = np.zeros((64, 64), np.uint8)
    image[5:20, 5:20] = image[40:50, 40:50] = 255
    image[40:50, 40:50] = 160
    assert predict_masks(MODEL, image)[0, 45, 45]
    kept = predict_masks(MODEL, image, one_component=True)[0]
    assert kept[10, 10]
    assert not kept[45, 45]


def test_images_in_subfolders_are_named_after_their_path(tmp_path):
    (tmp_path / "monday").mkdir()
    for name in ("a.png", "monday/a.jpg", "a.tif", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(b"x")
    found, faults = find_new_images(tmp_path)
    assert sorted(found) == ["a", "monday/a"]
    assert len(faults) == 1
    assert "a.tif" in faults[0]


@pytest.mark.parametrize("inside", ["", "out", ".."])
def test_results_are_never_written_in_or_around_the_folder_of_the_images(tmp_path, inside):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("L", (8, 8)).save(folder / "a.png")
    with pytest.raises(InputError, match="choose another folder"):
        predict_folder(MODEL, folder, folder / inside, overwrite=True)
    assert (folder / "a.png").exists()


def bright_square(dtype=np.uint8):
    image = np.zeros((90, 70), dtype)
    image[20:60, 10:40] = np.iinfo(dtype).max
    return image


def test_a_list_of_images_of_any_size_gives_a_list_of_masks():
    images = [bright_square(), np.zeros((33, 50), np.uint8)]
    masks = predict_masks(MODEL, images)
    assert [mask.shape for mask in masks] == [(2, 90, 70), (2, 33, 50)]
    np.testing.assert_array_equal(masks[0], predict_masks(MODEL, images[0]))
    assert predict_masks(MODEL, []) == []


def test_16_bits_are_scaled_to_the_full_range():
    np.testing.assert_array_equal(
        predict_masks(MODEL, bright_square(np.uint16)), predict_masks(MODEL, bright_square())
    )


@pytest.mark.parametrize("window", [None, (1.0, 99.0)])
def test_an_array_gives_the_masks_of_the_same_image_in_a_folder(tmp_path, window):
    model = replace(MODEL, window=window)
    image = np.random.default_rng(0).integers(500, 3000, (61, 47)).astype(np.uint16)  # 12 bits, dark
    (tmp_path / "images").mkdir()
    Image.fromarray(image).save(tmp_path / "images/a.png")
    cases, faults = predict_folder(model, tmp_path / "images", tmp_path / "out", ["png"])
    assert (cases, faults) == (["a"], [])
    for name, mask in zip(model.classes, predict_masks(model, image), strict=True):
        file = tmp_path / f"out/masks/a/{name}.png"
        assert file.exists() == mask.any()
        if mask.any():
            np.testing.assert_array_equal(read_mask(file), mask)
    assert predict_masks(model, image)[0].any() == (window is not None)


@pytest.mark.parametrize(
    ("image", "fault"),
    [
        (np.zeros((5, 4, 3), np.uint8), "shape"),
        (np.zeros((0, 4), np.uint8), "shape"),
        (np.zeros((5, 4)), "float64"),
    ],
)
def test_arrays_that_are_not_grey_images_are_refused(image, fault):
    with pytest.raises(InputError, match=fault):
        predict_masks(MODEL, image)
    with pytest.raises(InputError, match=f"image 2: .*{fault}"):
        predict_masks(MODEL, [bright_square(), image])


def test_an_unknown_format_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match=r"'jpeg'.*labelmap"):
        predict_folder(MODEL, tmp_path / "none", tmp_path / "out", ["png", "jpeg"])


LEFT_HALF = replace(MODEL, mirrored="right", predict=lambda images: _left_half(images))


def _left_half(images):
    """The first class is the left half of any image, the second what is bright."""
    half = np.zeros_like(images)
    half[..., : images.shape[-1] // 2] = 255
    return np.stack([half, np.where(images > 128, 255, 0).astype(np.uint8)], axis=1)


def test_masks_of_the_mirrored_side_are_mirrored_back():
    image = bright_square()
    left, right = predict_masks(LEFT_HALF, [image, image], laterality=["left", "right"])
    assert left[0, :, :34].all()
    assert not left[0, :, 36:].any()
    np.testing.assert_array_equal(right[0], left[0, :, ::-1])
    np.testing.assert_array_equal(right[1], left[1])  # what is bright stays where it is
    np.testing.assert_array_equal(predict_masks(LEFT_HALF, image, laterality="right"), right)


@pytest.mark.parametrize(
    ("model", "laterality", "fault"),
    [
        (LEFT_HALF, None, "right sides"),
        (LEFT_HALF, "dicom", "not a side"),
        (LEFT_HALF, "none", "right sides"),
        (LEFT_HALF, ["left"], "1 entries for 2 images"),
        (LEFT_HALF, ["left", ""], "not a side"),
        (MODEL, "left", "without mirroring"),
        (replace(MODEL, mirrored=UNKNOWN), None, "does not say"),
    ],
)
def test_a_laterality_that_does_not_fit_is_refused(model, laterality, fault):
    with pytest.raises(InputError, match=fault):
        predict_masks(model, [bright_square()] * 2, laterality=laterality)


def write_images(folder, **images):
    folder.mkdir()
    for name, image in images.items():
        Image.fromarray(image).save(folder / f"{name}.png")


def table(out):
    with (out / "images.csv").open(newline="", encoding="utf-8") as stream:
        return {row["case"]: row for row in csv.DictReader(stream)}


def test_a_folder_with_both_sides(tmp_path):
    write_images(tmp_path / "images", a_L=bright_square(), a_R=bright_square())
    predict_folder(LEFT_HALF, tmp_path / "images", tmp_path / "out", ["png"], laterality="pattern:_([LR])")
    left, right = (read_mask(tmp_path / f"out/masks/a_{side}/bright.png") for side in "LR")
    assert left[:, :34].all()
    np.testing.assert_array_equal(right, left[:, ::-1])
    rows = table(tmp_path / "out")
    assert [(row["side"], row["mirrored"]) for row in rows.values()] == [("left", "0"), ("right", "1")]
    assert json.loads((tmp_path / "out/predict.json").read_text())["laterality"] == "pattern:_([LR])"


def test_nothing_is_written_if_a_side_is_not_known(tmp_path):
    write_images(tmp_path / "images", a_L=bright_square(), b=bright_square())
    with pytest.raises(InputError, match=r"b\.png: its side is not known"):
        predict_folder(LEFT_HALF, tmp_path / "images", tmp_path / "out", laterality="pattern:_([LR])")
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


@pytest.fixture(scope="module")
def careful():
    """A model that knows its training images, and images of their kind."""
    drawn = [p.image for p in draw_phantoms(counts={"unlabelled": 24}, seed=0, height=96, width=96)]
    known = np.stack([resize_grey(image, *MODEL.size) for image in drawn[:20]])
    return replace(MODEL, training_look=read_look(measure_look([known]))), drawn[20:]


def test_images_unlike_the_training_images_are_named(tmp_path, careful, caplog):
    model, (usual, *_) = careful
    write_images(tmp_path / "images", usual=usual, inverted=255 - usual, dark=usual.astype(np.uint16) * 16)
    cases, faults = predict_folder(model, tmp_path / "images", tmp_path / "out", ["png"])
    assert (sorted(cases), faults) == (["dark", "inverted", "usual"], [])
    rows = table(tmp_path / "out")
    assert {case: row["unlike"] for case, row in rows.items()} == {"usual": "0", "inverted": "1", "dark": "1"}
    assert float(rows["usual"]["unlikeness"]) <= 1 < float(rows["inverted"]["unlikeness"])
    assert "black and white swapped" in rows["inverted"]["remark"]
    warnings = [record.message for record in caplog.records if "masks may be wrong" in record.message]
    assert len(warnings) == 2
    assert all(message.startswith(str(tmp_path / "images")) for message in warnings)
    assert "2 of 3 images are unlike the training images" in caplog.text


def test_images_unlike_the_training_images_can_be_refused(tmp_path, careful):
    model, (usual, *_) = careful
    write_images(tmp_path / "images", usual=usual, inverted=255 - usual)
    cases, [fault] = predict_folder(model, tmp_path / "images", tmp_path / "out", ["png"], unlike="refuse")
    assert cases == ["usual"]
    assert "inverted.png: " in fault
    assert not (tmp_path / "out/masks/inverted").exists()
    row = table(tmp_path / "out")["inverted"]
    assert (row["predicted"], row["unlike"]) == ("0", "1")
    assert fault == row["remark"]


def test_a_window_of_fractions_is_refused_before_any_image_is_read(tmp_path):
    write_images(tmp_path / "images", a=np.zeros((8, 8), np.uint8))
    with pytest.raises(InputError, match=r"^window .* seem to be fractions"):
        predict_folder(BARS, tmp_path / "images", tmp_path / "out", ["png"], window=(0.005, 0.995))
    assert not (tmp_path / "out").exists()


def test_a_window_makes_images_of_12_bits_alike(tmp_path, careful):
    model, usual = careful
    write_images(
        tmp_path / "images", **{f"i{n}": image.astype(np.uint16) * 16 for n, image in enumerate(usual)}
    )
    options = {"formats": ["png"], "window": (0.5, 99.5)}
    predict_folder(model, tmp_path / "images", tmp_path / "out", **options)
    assert all(row["unlike"] == "0" for row in table(tmp_path / "out").values())


def test_arrays_unlike_the_training_images_are_named(careful, caplog):
    model, (usual, *_) = careful
    predict_masks(model, [usual, 255 - usual])
    assert [record.message.split(":")[0] for record in caplog.records] == ["image 2"]


def test_a_model_that_does_not_know_its_training_images_says_so(tmp_path, caplog):
    write_images(tmp_path / "images", a=bright_square())
    predict_folder(MODEL, tmp_path / "images", tmp_path / "out", ["png"])
    assert "images unlike them are not noticed" in caplog.text
    assert table(tmp_path / "out")["a"]["unlike"] == ""
    with pytest.raises(InputError, match="--unlike refuse"):
        predict_folder(MODEL, tmp_path / "images", tmp_path / "out2", ["png"], unlike="refuse")
    with pytest.raises(InputError, match="--unlike no"):
        predict_folder(MODEL, tmp_path / "images", tmp_path / "out2", ["png"], unlike="no")


def test_burned_in_annotations_are_named(tmp_path, caplog):
    (tmp_path / "images").mkdir()
    values = np.full((20, 30), 1000, np.uint16)
    for name, tags in {
        "a": {"BurnedInAnnotation": "YES"},
        "b": {"BurnedInAnnotation": "NO"},
        "c": {},
    }.items():
        write_dicom(tmp_path / f"images/{name}.dcm", values, **tags)
    predict_folder(MODEL, tmp_path / "images", tmp_path / "out", ["png"])
    assert [row["burned_in"] for row in table(tmp_path / "out").values()] == ["1", "0", ""]
    [warning] = [record.message for record in caplog.records if "BurnedIn" in record.message]
    assert warning.startswith(f"{tmp_path / 'images/a.dcm'}: BurnedInAnnotation is YES")


def test_every_image_has_a_row_also_if_it_cannot_be_read(tmp_path):
    write_images(tmp_path / "images", a=bright_square())
    (tmp_path / "images/b.png").write_bytes(b"rubbish")
    (tmp_path / "images/gone.png").symlink_to("nowhere.png")
    cases, faults = predict_folder(MODEL, tmp_path / "images", tmp_path / "out", ["png"])
    assert cases == ["a"]
    assert len(faults) == 2
    rows = table(tmp_path / "out")
    assert [(row["file"], row["predicted"]) for row in rows.values()] == [
        ("a.png", "1"),
        ("b.png", "0"),
        ("gone.png", "0"),
    ]
    assert rows["b"]["remark"] in faults


def test_no_cell_is_a_formula(tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(bright_square()).save(tmp_path / "images/=1+1.png")
    predict_folder(MODEL, tmp_path / "images", tmp_path / "out", ["png"])
    [row] = table(tmp_path / "out").values()
    assert (row["file"], row["case"]) == ("'=1+1.png", "'=1+1")
    assert (tmp_path / "out/masks/=1+1").is_dir()


def test_names_that_differ_only_in_capitals_are_refused(tmp_path):
    """Not every file system can keep the masks of both."""
    write_images(tmp_path / "images", a=bright_square(), A=bright_square())
    cases, faults = predict_folder(MODEL, tmp_path / "images", tmp_path / "out", ["png"])
    assert len(cases) == len(faults) == 1


def test_the_working_directory_may_be_the_output_folder(tmp_path, monkeypatch):
    write_images(tmp_path / "images", a=bright_square())
    out = tmp_path / "out"
    predict_folder(MODEL, tmp_path / "images", out, ["png"])
    monkeypatch.chdir(out)
    with pytest.raises(InputError, match="already exists"):
        predict_folder(MODEL, tmp_path / "images", ".", ["png"])
    predict_folder(MODEL, tmp_path / "images", ".", ["labelmap"], overwrite=True)
    assert (out / "labelmaps/a.png").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "out"]
    with pytest.raises(InputError, match="choose another folder"):
        predict_folder(MODEL, tmp_path / "images", "/", ["png"])


def measurements(out):
    """{(case, class): row of measurements.csv}."""
    with (out / "measurements.csv").open(newline="", encoding="utf-8") as stream:
        return {(row["case"], row["class"]): row for row in csv.DictReader(stream)}


def two_bars(size=(160, 160)):
    """Bright bars of 100 by 20 and 60 by 20 pixels, at right angles, 15 pixels apart."""
    image = np.zeros(size, np.uint8)
    image[20:40, 20:120] = 255
    image[55:115, 60:80] = 255
    return image


BARS = replace(
    MODEL,
    predict=lambda images: np.stack([_kept(images, True), _kept(images, False)], axis=1),
    classes=("lying", "standing"),
)


def _kept(images, upper):
    """What is bright in the upper quarter of images, or in the rest."""
    kept, quarter = np.zeros_like(images), round(images.shape[1] * 47 / 160)
    part = slice(None, quarter) if upper else slice(quarter, None)
    kept[:, part] = images[:, part]
    return kept


BLOCK = {
    "gap": {"between": ["lying", "standing"]},
    "turn": {"between": ["axis of lying", "axis of standing"]},
    "apart": {"between": ["centre of lying", "centre of standing"]},
}


def test_every_mask_is_measured_in_pixels(tmp_path):
    write_images(tmp_path / "images", bars=two_bars(), empty=np.zeros((50, 40), np.uint8))
    predict_folder(BARS, tmp_path / "images", tmp_path / "out", ["png"], measurements=BLOCK)
    rows = measurements(tmp_path / "out")
    assert list(rows) == [(case, name) for case in ("bars", "empty") for name in ("lying", "standing", "")]
    lying = rows["bars", "lying"]
    for column, value in {"length_px": 100, "width_px": 20, "centre_x_px": 70, "centre_y_px": 30}.items():
        assert abs(float(lying[column]) - value) < 1.5  # a pixel of the network is 2.5 pixels
        assert float(lying[f"{column}_low"]) <= float(lying[column]) <= float(lying[f"{column}_high"])
        assert 0 <= float(lying[f"{column}_confidence"]) <= 1
    image = rows["bars", ""]
    assert abs(float(image["gap_px"]) - 15) < 2
    assert abs(float(image["turn_deg"]) - 90) < 1
    assert abs(float(image["apart_px"]) - 55) < 1.5
    assert lying["gap_px"] == image["length_px"] == ""
    # Classes that are missing have empty cells.
    for name in ("lying", "standing", ""):
        assert set([*rows["empty", name].values()][3:]) == {""}


def test_measurements_are_in_mm_where_the_size_of_a_pixel_is_known(tmp_path, caplog):
    (tmp_path / "images").mkdir()
    values = two_bars().astype(np.uint16) * 16
    for name, elements in {
        "a": {"PixelSpacing": [0.5, 0.25]},
        "b": {"ImagerPixelSpacing": [0.2, 0.2]},
        "c": {},
    }.items():
        write_dicom(tmp_path / f"images/{name}.dcm", values, **elements)
    predict_folder(BARS, tmp_path / "images", tmp_path / "out", ["nifti"], measurements=BLOCK)
    rows = measurements(tmp_path / "out")
    assert float(rows["a", "lying"]["length_mm"]) == pytest.approx(25, abs=0.7)
    assert float(rows["a", "lying"]["width_mm"]) == pytest.approx(10, abs=0.7)
    assert float(rows["a", "standing"]["length_mm"]) == pytest.approx(30, abs=0.7)
    assert float(rows["a", "lying"]["area_mm2"]) == pytest.approx(250, rel=0.07)
    assert float(rows["a", ""]["gap_mm"]) == pytest.approx(7.5, abs=1)
    assert float(rows["b", "lying"]["length_mm"]) == pytest.approx(20, abs=0.5)
    assert rows["a", "lying"]["length_px"] == rows["c", "lying"]["length_mm"] == ""
    assert float(rows["c", "lying"]["length_px"]) == pytest.approx(100, abs=1.5)
    sizes = [
        (row["row_mm"], row["column_mm"], row["spacing_from"]) for row in table(tmp_path / "out").values()
    ]
    assert sizes == [("0.5", "0.25", "PixelSpacing"), ("0.2", "0.2", "ImagerPixelSpacing"), ("", "", "")]
    assert "1 images give the size of a pixel at the detector" in caplog.text
    zooms = [nib.load(tmp_path / f"out/nifti/{case}.nii.gz").header.get_zooms()[:2] for case in "abc"]
    np.testing.assert_allclose(zooms, [(0.25, 0.5), (0.2, 0.2), (1, 1)])


def test_a_given_size_of_a_pixel_is_for_images_that_do_not_say_it(tmp_path):
    write_images(tmp_path / "images", bars=two_bars())
    write_dicom(tmp_path / "images/d.dcm", two_bars().astype(np.uint16) * 16, PixelSpacing=[1, 1])
    predict_folder(BARS, tmp_path / "images", tmp_path / "out", ["png"], spacing=(0.5, 0.25))
    rows = measurements(tmp_path / "out")
    assert float(rows["bars", "lying"]["length_mm"]) == pytest.approx(25, abs=0.7)
    assert float(rows["d", "lying"]["length_mm"]) == pytest.approx(100, abs=1.5)
    assert not any(column.startswith("length_px") for column in rows["d", "lying"])
    with pytest.raises(InputError, match="not a size in mm"):
        predict_folder(BARS, tmp_path / "images", tmp_path / "out2", ["png"], spacing=(0.0, 1.0))


def test_the_model_lists_measurements_and_unknown_classes_are_refused(tmp_path):
    write_images(tmp_path / "images", bars=two_bars())
    model = replace(BARS, measurements={"m": {"between": ["axis of lying", "vertical"]}})
    predict_folder(model, tmp_path / "images", tmp_path / "out", ["png"])
    assert float(measurements(tmp_path / "out")["bars", ""]["m_deg"]) == pytest.approx(90, abs=1)
    with pytest.raises(InputError, match="'bone' is not a class; choose from lying, standing"):
        predict_folder(
            model,
            tmp_path / "images",
            tmp_path / "out2",
            measurements={"m": {"between": ["bone", "lying"]}},
        )
    assert not (tmp_path / "out2").exists()


def test_measurements_of_a_config(tmp_path):
    (tmp_path / "a.yaml").write_text("dataset: x\nmeasurements:\n  gap: {between: [a, b]}\n")
    assert read_measurements(tmp_path / "a.yaml") == {"gap": {"between": ["a", "b"]}}
    (tmp_path / "b.yaml").write_text("a: [")
    (tmp_path / "c.yaml").write_text("a: 1")
    for name, fault in {
        "b": "line 1: is not valid YAML",
        "c": "no key `measurements`",
        "d": "no such",
    }.items():
        with pytest.raises(InputError, match=fault):
            read_measurements(tmp_path / f"{name}.yaml")


UIDS = {
    **RADIOGRAPH,
    "PixelSpacing": [0.5, 0.25],
}


def test_a_dicom_image_has_a_report_beside_its_segmentation(tmp_path):
    (tmp_path / "images").mkdir()
    write_dicom(tmp_path / "images/a.dcm", two_bars().astype(np.uint16) * 16, **UIDS)
    predict_folder(BARS, tmp_path / "images", tmp_path / "out", ["dicomseg"], measurements=BLOCK)
    report = hd.sr.srread(tmp_path / "out/dicomsr/a.dcm")
    groups = report.content.get_planar_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == ["lying", "standing"]
    length = next(m for m in groups[0].get_measurements() if m.name.meaning == "Length")
    assert float(length.value) == pytest.approx(25, abs=0.7)
    assert length.unit.value == "mm"
    segmentation = dcmread(tmp_path / "out/dicomseg/a.dcm")
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert list(measures.PixelSpacing) == [0.5, 0.25]


def test_a_single_image(tmp_path):
    write_images(tmp_path / "images", a=bright_square(), b=bright_square())
    cases, faults = predict_folder(MODEL, tmp_path / "images/a.png", tmp_path / "out", ["png"])
    assert (cases, faults) == (["a"], [])
    assert [row["file"] for row in table(tmp_path / "out").values()] == ["a.png"]
    with pytest.raises(InputError, match="not found"):
        predict_folder(MODEL, tmp_path / "images/c.png", tmp_path / "out2", ["png"])
    with pytest.raises(InputError, match="contain it"):
        predict_folder(MODEL, tmp_path / "images/a.png", tmp_path / "images", ["png"], overwrite=True)
    (tmp_path / "images/notes.txt").write_text("x")
    with pytest.raises(InputError, match="contains no images"):
        predict_folder(MODEL, tmp_path / "images/notes.txt", tmp_path / "out2", ["png"])


def test_a_single_image_may_be_beside_its_output(tmp_path):
    Image.fromarray(bright_square()).save(tmp_path / "a.png")
    predict_folder(MODEL, tmp_path / "a.png", tmp_path / "out", ["png"])
    assert (tmp_path / "out/masks/a").is_dir()


def test_files_of_a_cd_without_an_image_are_skipped_and_counted(tmp_path, caplog):
    (tmp_path / "cd").mkdir()
    values = np.full((20, 30), 1000, np.uint16)
    kinds = {
        "DICOMDIR": "1.2.840.10008.1.3.10",
        "SR1": "1.2.840.10008.5.1.4.1.1.88.22",
        "SR2.dcm": "1.2.840.10008.5.1.4.1.1.88.22",
        "ECG": "1.2.840.10008.5.1.4.1.1.9.1.2",
        "IM1": "1.2.840.10008.5.1.4.1.1.1",
    }
    for name, uid in kinds.items():
        path = write_dicom(tmp_path / "cd" / name, values)
        header = dcmread(path)
        header.file_meta.MediaStorageSOPClassUID = uid
        if name != "IM1":
            del header.PixelData, header.Rows
        header.save_as(path)
    cases, faults = predict_folder(MODEL, tmp_path / "cd", tmp_path / "out", ["png"])
    assert (cases, faults) == (["IM1"], [])
    [line] = [record.message for record in caplog.records if "without an image" in record.message]
    assert "skipped 4 DICOM files without an image: 2 Enhanced SR, 1 " in line
    assert "Media Storage Directory" in line


def test_a_dicom_image_with_a_palette_is_predicted(tmp_path):
    (tmp_path / "images").mkdir()
    table_of = np.linspace(0, 65535, 256).astype(np.uint16).tobytes()
    colours = ("Red", "Green", "Blue")
    palette = {f"{colour}PaletteColorLookupTableDescriptor": [256, 0, 16] for colour in colours}
    palette |= {f"{colour}PaletteColorLookupTableData": table_of for colour in colours}
    write_dicom(
        tmp_path / "images/a.dcm",
        bright_square(),
        bits=8,
        PhotometricInterpretation="PALETTE COLOR",
        **palette,
    )
    cases, faults = predict_folder(MODEL, tmp_path / "images", tmp_path / "out", ["png"])
    assert (cases, faults) == (["a"], [])
    expected = predict_masks(MODEL, bright_square())[0]
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/a/bright.png"), expected)
