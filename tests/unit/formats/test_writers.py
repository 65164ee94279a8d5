"""Writing several formats at once: which files are written, what they hold, and what is left out."""

import csv
import json
import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from samcarry.formats import FORMATS
from samcarry.formats.coco import read_coco
from samcarry.formats.cvat import read_cvat
from samcarry.formats.nifti import read_nifti
from samcarry.formats.overlays import overlay
from samcarry.formats.writers import OVERLAP_RULE, MaskWriter
from samcarry.geometry.run_lengths import encode_image
from samcarry.images.masks import read_mask
from support.dicom_files import write as write_dicom
from support.drawn_annotations import drawn

CLASSES = ("radius", "ulna", "hamate")
GREY = np.arange(63, dtype=np.uint8).reshape(9, 7)
MASKS = np.zeros((3, 9, 7), bool)
MASKS[0, 1:6, 1:4] = MASKS[1, 4:8, 2:6] = True


def radiograph(path, **elements):
    uids = {"SOPInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.5"}
    kind = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1", "Modality": "CR"}
    return write_dicom(path, GREY, bits=8, **{**uids, **kind, **elements})


def files_in(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_every_format_is_written_and_listed(tmp_path):
    source = radiograph(tmp_path / "a.dcm")
    writer = MaskWriter(tmp_path / "out", CLASSES, FORMATS)
    of_case = writer.add("monday/a", MASKS, GREY, file_name="monday/a.dcm", source=source)
    common = writer.finish()
    assert sorted(of_case) == [
        "dicomseg/monday/a.dcm",
        "labelmaps/monday/a.png",
        "masks/monday/a/radius.png",
        "masks/monday/a/ulna.png",
        "nifti/monday/a.nii.gz",
        "nnunet/Dataset001_samcarry/imagesTr/monday__a_0000.png",
        "nnunet/Dataset001_samcarry/labelsTr/monday__a.png",
        "overlays/monday/a.png",
        "segnrrd/monday/a.seg.nrrd",
        "yolo/labels/monday/a.txt",
    ]
    assert common == [
        "classes.csv",
        "coco.json",
        "annotations.xml",
        "yolo/data.yaml",
        "nnunet/Dataset001_samcarry/dataset.json",
    ]
    assert files_in(tmp_path / "out") == sorted(of_case + common)
    assert writer.faults == []
    assert read_mask(tmp_path / "out/masks/monday/a/ulna.png").tolist() == MASKS[1].tolist()
    shown = np.asarray(Image.open(tmp_path / "out/overlays/monday/a.png"))
    np.testing.assert_array_equal(shown[:9, :7], overlay(GREY, MASKS))


@pytest.mark.parametrize("name", FORMATS)
def test_one_format_is_written_without_the_others(tmp_path, name):
    writer = MaskWriter(tmp_path / "out", CLASSES, [name])
    source = radiograph(tmp_path / "a.dcm")
    written = writer.add("a", MASKS, GREY, file_name="a.dcm", source=source) + writer.finish()
    assert files_in(tmp_path / "out") == sorted(written)
    assert "classes.csv" in written
    assert len(written) == {"png": 3, "yolo": 3, "nnunet": 4}.get(name, 2)


def test_files_of_all_images_hold_them_in_order_including_those_without_masks(tmp_path):
    writer = MaskWriter(tmp_path / "out", CLASSES, ["coco", "cvat"])
    for case, masks in (("b", MASKS), ("empty", np.zeros_like(MASKS)), ("a", MASKS[:, ::-1])):
        assert writer.add(case, masks, GREY, file_name=f"{case}.png", source=tmp_path / "x.png") == []
    writer.finish()
    for annotations in (read_coco(tmp_path / "out/coco.json"), read_cvat(tmp_path / "out/annotations.xml")):
        assert [annotation.name for annotation in annotations] == ["b.png", "empty.png", "a.png"]
        assert [len(drawn(annotation)) for annotation in annotations] == [2, 0, 2]
        np.testing.assert_array_equal(drawn(annotations[2])["ulna"], MASKS[1, ::-1])
    with (tmp_path / "out/classes.csv").open(encoding="utf-8") as stream:
        assert [row["class"] for row in csv.DictReader(stream)] == ["background", *CLASSES]
    coco = json.loads((tmp_path / "out/coco.json").read_text())
    assert [category["name"] for category in coco["categories"]] == list(CLASSES)


def test_images_that_are_not_dicom_have_no_dicom_seg_and_are_named_in_one_warning(tmp_path, caplog):
    writer = MaskWriter(tmp_path / "out", CLASSES, ["dicomseg"])
    for case in ("a", "b"):
        assert writer.add(case, MASKS, GREY, file_name=f"{case}.png", source=tmp_path / f"{case}.png") == []
    with caplog.at_level(logging.WARNING):
        assert writer.finish() == ["classes.csv"]
    assert len(caplog.records) == 1
    assert "not DICOM: a, b" in caplog.text
    assert writer.faults == []


def test_empty_masks_have_no_dicom_seg_and_no_fault(tmp_path):
    writer = MaskWriter(tmp_path / "out", CLASSES, ["dicomseg"])
    source = radiograph(tmp_path / "a.dcm")
    assert writer.add("a", np.zeros_like(MASKS), GREY, file_name="a.dcm", source=source) == []
    assert writer.finish() == ["classes.csv"]
    assert writer.faults == []


def test_a_dicom_seg_that_cannot_be_written_is_a_fault_and_the_other_formats_are_written(tmp_path):
    writer = MaskWriter(tmp_path / "out", CLASSES, ["dicomseg", "labelmap"])
    source = radiograph(tmp_path / "a.dcm", StudyInstanceUID="")
    assert writer.add("a", MASKS, GREY, file_name="a.dcm", source=source) == ["labelmaps/a.png"]
    (fault,) = writer.faults
    assert fault.startswith(f"{source}: has no StudyInstanceUID")
    assert files_in(tmp_path / "out") == [".runs.jsonl", "labelmaps/a.png"]


def test_an_existing_folder_is_not_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError):
        MaskWriter(tmp_path / "out", CLASSES, ["png"])


def test_the_overlap_rule_is_what_label_maps_do(tmp_path):
    assert "fewer pixels" in OVERLAP_RULE
    writer = MaskWriter(tmp_path / "out", CLASSES, ["labelmap"])
    writer.add("a", MASKS, GREY, file_name="a.png", source=tmp_path / "a.png")
    numbers = np.asarray(Image.open(tmp_path / "out/labelmaps/a.png"))
    overlap = MASKS[0] & MASKS[1]
    smaller = 1 if MASKS[0].sum() < MASKS[1].sum() else 2
    assert overlap.any()
    assert (numbers[overlap] == smaller).all()


def test_cases_of_an_earlier_call_are_in_the_files_of_all_cases(tmp_path):
    masks = np.zeros((1, 4, 5), bool)
    masks[0, 1:3, 2:4] = True
    grey = np.zeros((4, 5), np.uint8)
    whole = MaskWriter(tmp_path / "whole", ["a"], ["coco", "cvat"])
    again = MaskWriter(tmp_path / "again", ["a"], ["coco", "cvat"], again=True)
    for name in ("1.png", "2.png"):
        whole.add(name[0], masks, grey, file_name=name, source=Path(name))
        again.add_again(name[0], encode_image(name, masks), Path(name))
    assert whole.finish() == again.finish()
    for name in ("coco.json", "annotations.xml"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_size_of_a_pixel_reaches_nifti(tmp_path):
    writer = MaskWriter(tmp_path / "out", CLASSES, ["nifti"])
    source = tmp_path / "a.png"
    for case, spacing in (("a", (0.5, 0.25)), ("b", None)):
        writer.add(case, MASKS, GREY, file_name="a.png", source=source, spacing=spacing)
    known, unknown = (nib.load(tmp_path / f"out/nifti/{case}.nii.gz").header for case in "ab")
    assert known.get_zooms()[:2] == (0.25, 0.5)  # the first axis is the column
    assert known.get_xyzt_units()[0] == "mm"
    assert unknown.get_zooms()[:2] == (1, 1)
    assert unknown.get_xyzt_units()[0] == "unknown"
    [annotation] = read_nifti(tmp_path / "out/nifti/a.nii.gz")
    assert annotation.spacing == (0.5, 0.25)
    np.testing.assert_array_equal(drawn(annotation)["ulna"], MASKS[1])
