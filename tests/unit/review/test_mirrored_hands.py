"""Masks of hands that an import has mirrored: what is written, corrected and read again is mirrored once."""

from pathlib import Path

import numpy as np
import pytest

from samcarry.data.contract import mirrored_cases
from samcarry.data.manifest import ManifestRow
from samcarry.images.masks import read_mask
from samcarry.importing.annotations import import_annotations
from samcarry.importing.readers import reader_options
from samcarry.importing.wrist import import_cvat
from samcarry.predict.stage_masks import export_stage, find_originals
from samcarry.review.corrections import apply_corrections
from samcarry.review.tasks import write_task
from samcarry.storage.stacks import Stack, write_stack
from support.dicom_files import RADIOGRAPH, write

CASES, CLASSES = ("left", "right"), ("Radius", "Ulna")
SIZE = (24, 30)
ALL = {"order": None, "unlabelled": None, "label": None, "attribute": None, "classes": None}
SPLITS = {"val_fraction": 0.2, "test_fraction": 0.2, "seed": 0}
PIXELS = np.random.default_rng(0).integers(0, 4096, (2, *SIZE)).astype(np.uint16)


def drawn(mirrored=()):
    """Asymmetric masks (case, class, height, width) of all cases; those in `mirrored` are mirrored."""
    masks = np.zeros((len(CASES), len(CLASSES), *SIZE), bool)
    masks[:, 0, 2:9, 3:14] = True
    masks[:, 0, 7:12, 3:6] = True
    masks[:, 1, 14:20, 1:4] = True
    for case in mirrored:
        masks[CASES.index(case)] = masks[CASES.index(case), :, :, ::-1].copy()
    return masks


@pytest.fixture
def study(tmp_path):
    """A study in which the right hand is mirrored: a training case, two unlabelled ones, and their masks."""
    own = tmp_path / "own"
    (own / "monday").mkdir(parents=True)
    for number, (case, pixels) in enumerate(zip(CASES, PIXELS, strict=True)):
        identity = {**RADIOGRAPH, "SOPInstanceUID": f"1.2.3.{number}", "PatientID": str(number)}
        write(own / f"monday/{case}.dcm", pixels, **identity)
    write(own / "known.dcm", PIXELS[0].T.copy().reshape(SIZE), **{**RADIOGRAPH, "SOPInstanceUID": "1.2.9"})
    (tmp_path / "known.xml").write_text(
        '<annotations><image name="known.dcm" width="30" height="24">'
        '<polygon label="Radius" points="0,0;5,0;5,5"/><polygon label="Ulna" points="9,0;15,0;15,5"/></image>'
        "</annotations>"
    )
    table = "filestem,patient_id,laterality,projection\nleft,1,L,1\nright,2,R,1\nknown,3,L,1\n"
    (tmp_path / "table.csv").write_text(table)
    import_cvat(
        images=own,
        annotations={"train": [tmp_path / "known.xml"]},
        table=tmp_path / "table.csv",
        destination=tmp_path / "data",
        **ALL,
    )
    # The networks saw the mirrored image, and so their masks are mirrored.
    stack = Stack(drawn(mirrored_cases(tmp_path / "data")).astype(np.uint8), "mask", CASES, CLASSES)
    write_stack(tmp_path / "stack.nii.gz", stack)
    return tmp_path


def export(study, *formats):
    rows = [ManifestRow(c, "u-0", "unlabelled", c, None, f"images/{c}.png", "", ()) for c in CASES]
    originals = find_originals(study / "data", rows, study / "own")
    out = study / "out"
    options = {"window": None, "text_masked": False, "metadata": {}}
    export_stage(out, [study / "stack.nii.gz"], originals, formats, **options)
    return out


def labels(folder: Path):
    return np.stack(
        [np.stack([read_mask(folder / f"labels/{case}/{name}.png") for name in CLASSES]) for case in CASES]
    )


def corrected(study, file):
    mirrored = mirrored_cases(study / "data")
    assert mirrored == {"right"}
    apply_corrections(study / "data", [file], study / "new", splits=SPLITS, mirrored=mirrored)
    return labels(study / "new")


def test_an_exported_mask_that_comes_back_as_a_correction(study):
    file = export(study, "cvat") / "annotations.xml"
    assert np.array_equal(corrected(study, file), drawn(["right"]))


def test_a_task_that_comes_back_as_a_correction(study):
    write_task(
        cases=CASES,
        images={case: study / f"data/images/{case}.png" for case in CASES},
        window=None,
        text_masked=False,
        refined=[study / "stack.nii.gz"],
        classes=CLASSES,
        mirrored=mirrored_cases(study / "data"),
        sheet=study / "task/cases.csv",
        archive=study / "task/images.zip",
        annotations=study / "task/annotations.xml",
    )
    assert np.array_equal(corrected(study, study / "task/annotations.xml"), drawn(["right"]))


FILES = {
    "cvat": ("cvat", "annotations.xml", {"label": None, "attribute": None}),
    "coco": ("coco", "coco.json", {}),
    "png": ("class_pngs", "masks/{case}/{class}.png", {}),
    "labelmap": ("label_maps", "labelmaps", {"table": "classes.csv"}),
    "nifti": ("nifti", "nifti", {"table": "classes.csv"}),
    "segnrrd": ("segnrrd", "segnrrd", {}),
    "dicomseg": ("dicomseg", "dicomseg", {}),
    "yolo": ("yolo", "yolo/labels", {"table": "yolo/data.yaml"}),
}


@pytest.mark.parametrize("exported", FILES)
def test_exported_masks_fit_the_images_of_the_user_in_every_format(study, exported):
    form, path, options = FILES[exported]
    out = export(study, exported)
    if "table" in options:
        options = {"table": str(out / options["table"])}
    images = study / "own/monday"
    if exported in ("cvat", "coco"):  # they name the images with their folder
        images = study / "own"
    import_annotations(
        form,
        images=images,
        annotations={"": [out / path]},
        destination=study / "again",
        classes={},
        options=reader_options(form, options),
    )
    found, expected = labels(study / "again"), drawn()
    if exported == "yolo":  # polygons
        assert (found & expected).sum() / (found | expected).sum() > 0.9
    else:
        assert np.array_equal(found, expected)


def test_exported_masks_as_annotations_of_the_same_study(study):
    """The import mirrors what the export has mirrored back."""
    out = export(study, "cvat")
    import_cvat(
        images=study / "own",
        annotations={"train": [out / "annotations.xml"]},
        table=study / "table.csv",
        destination=study / "again",
        **ALL,
    )
    assert np.array_equal(labels(study / "again"), drawn(["right"]))
