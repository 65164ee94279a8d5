"""A new image reaches the network as an image of the training did, whatever its file and its way there."""

import json

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from samcarry.images.grey import read_grey, resize_grey, write_grey
from samcarry.images.text import mask_text
from samcarry.importing.annotations import NO_SPLIT, import_annotations
from samcarry.importing.wrist import import_cvat
from samcarry.predict.models import Model
from samcarry.predict.new_images import predict_folder
from support.burned_text import burn, radiograph, share_shown
from support.coco_files import annotation, document
from support.dicom_files import write as write_dicom

HEIGHT, WIDTH = 40, 60
SIZE = (16, 32)
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
VALUES = (20 * ROWS + 30 * COLUMNS + 400 * ((ROWS - 9) ** 2 + (COLUMNS - 15) ** 2 < 60)).astype(np.uint16)
BITS8 = (VALUES // 16).astype(np.uint8)


def save_rotated(path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.rot90(BITS8)).save(path, exif=exif, quality=95)


def save_white_zero(path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    Image.fromarray(VALUES * 16).save(path, tiffinfo=tags)


FILES = {
    "8 bits": ("png", lambda path: Image.fromarray(BITS8).save(path)),
    "12 in 16 bits": ("png", lambda path: Image.fromarray(VALUES).save(path)),
    "colours": ("png", lambda path: Image.fromarray(np.stack([BITS8] * 3, -1)).save(path)),
    "EXIF": ("jpg", save_rotated),
    "WhiteIsZero": ("tif", save_white_zero),
    "MONOCHROME1": ("dcm", lambda path: write_dicom(path, VALUES, PhotometricInterpretation="MONOCHROME1")),
    "DICOM window": ("dcm", lambda path: write_dicom(path, VALUES, WindowCenter=1500, WindowWidth=1800)),
}
WINDOWS = [None, (0.5, 99.5)]


def seen_by_the_network(folder, window, mirrored=None, laterality=None, text_masked=False):
    """{case: what the network of a model with this preparation sees}."""
    seen = []

    def predict(images):
        seen.append(images[0])
        return images[:, None]

    model = Model(predict, ("a",), SIZE, 0.5, 0.25, window, "0" * 64, mirrored, text_masked=text_masked)
    cases, faults = predict_folder(model, folder, folder.parent / "predicted", ["png"], laterality=laterality)
    assert not faults
    return dict(zip(cases, seen, strict=True))


def prepared(folder, window):
    """{case: prepared image}, as the rule prepare_images does it."""
    files = sorted((folder / "images").iterdir())
    return {file.stem: resize_grey(read_grey(file, window), *SIZE) for file in files}


def assert_alike(trained, seen, tolerance):
    assert trained.keys() == seen.keys()
    for case, image in trained.items():
        assert np.abs(image.astype(int) - seen[case]).max() <= tolerance, case


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kind", FILES)
def test_an_imported_image(tmp_path, kind, window):
    suffix, save = FILES[kind]
    (tmp_path / "images").mkdir()
    save(tmp_path / f"images/a.{suffix}")
    coco = tmp_path / "coco.json"
    coco.write_text(_coco(f"a.{suffix}"))
    import_annotations(
        "coco",
        images=tmp_path / "images",
        annotations={NO_SPLIT: [coco]},
        destination=tmp_path / "results",
        classes={},
        window=window,
    )
    trained = prepared(tmp_path / "results", window)
    assert trained["a"].std() > 1  # not blank
    assert_alike(trained, seen_by_the_network(tmp_path / "images", window), 1)


def _coco(name):
    image = {"id": 1, "file_name": name, "height": HEIGHT, "width": WIDTH}
    entry = annotation([[1, 1, 9, 1, 9, 9]], 1)
    return json.dumps(document({**entry, "image_id": 1}, images=[image]))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kind", FILES)
def test_mirrored_hands(tmp_path, kind, window):
    suffix, save = FILES[kind]
    (tmp_path / "images").mkdir()
    for case in ("left", "right"):
        save(tmp_path / f"images/{case}.{suffix}")
    table = tmp_path / "dataset.csv"
    table.write_text("filestem,patient_id,laterality,projection\nleft,1,L,1\nright,2,R,1\n")
    polygons = (
        f'<image name="{case}.{suffix}" width="{WIDTH}" height="{HEIGHT}">'
        '<polygon label="Ulna" points="1,1;9,1;9,9"/></image>'
        for case in ("left", "right")
    )
    (tmp_path / "train.xml").write_text(f"<annotations>{''.join(polygons)}</annotations>")
    import_cvat(
        images=tmp_path / "images",
        annotations={"train": [tmp_path / "train.xml"]},
        table=table,
        order=None,
        unlabelled=None,
        label=None,
        attribute=None,
        classes=None,
        destination=tmp_path / "results",
        window=window,
    )
    trained = prepared(tmp_path / "results", window)
    # An imported image has been rounded twice.
    seen = seen_by_the_network(tmp_path / "images", window, "right", f"{table}:laterality")
    assert_alike(trained, seen, 2)
    assert np.abs(seen["left"].astype(int) - seen["right"]).max() > 2


@pytest.mark.parametrize("text_masked", [False, True])
def test_text_is_filled_if_it_was_filled_in_training(tmp_path, text_masked):
    (tmp_path / "images").mkdir()
    burned = burn(radiograph(), "DOE, Maria\n12.03.1978", (8, 8))
    write_grey(tmp_path / "images/a.png", burned)
    expected = resize_grey(mask_text(burned, True)[0] if text_masked else burned, *SIZE)
    seen = seen_by_the_network(tmp_path / "images", None, text_masked=text_masked)["a"]
    assert np.array_equal(seen, expected)
    assert not np.array_equal(mask_text(burned, True)[0], burned)


@pytest.mark.parametrize("text_masked", [False, True])
def test_pictures_show_text_only_if_the_network_saw_it(tmp_path, text_masked, caplog):
    caplog.set_level("INFO")
    (tmp_path / "images").mkdir()
    plain = radiograph()
    burned = burn(plain, "DOE, Maria\n12.03.1978", (8, 8))
    write_grey(tmp_path / "images/a.png", burned)
    model = Model(
        lambda images: np.zeros((len(images), 1, *SIZE), np.uint8),
        *(("a",), SIZE, 0.5, 0.25, None, "0" * 64),
        text_masked=text_masked,
    )
    predict_folder(model, tmp_path / "images", tmp_path / "out", ["overlay", "nnunet"])
    for file in ("overlays/a.png", "nnunet/Dataset001_samcarry/imagesTr/a_0000.png"):
        picture = read_grey(tmp_path / "out" / file)[: plain.shape[0]]
        share = share_shown(picture, plain, burned)
        assert share < 0.02 if text_masked else share > 0.98, file
    assert ("a.png: lines of text are filled with grey" in caplog.text) == text_masked
