"""Masks that are exported and imported again are the same, in every format that is both written and read."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from samcarry.data.contract import is_class_name
from samcarry.formats.class_pngs import read_class_pngs
from samcarry.formats.class_tables import read_class_table
from samcarry.formats.coco import read_coco
from samcarry.formats.cvat import read_cvat
from samcarry.formats.dicom_seg import read_dicom_seg
from samcarry.formats.label_maps import read_label_map
from samcarry.formats.nifti import read_nifti
from samcarry.formats.seg_nrrd import read_seg_nrrd
from samcarry.formats.writers import MaskWriter
from samcarry.formats.yolo import load_yolo_table, read_yolo
from samcarry.geometry.rasterise import draw_masks
from support.dicom_files import write as write_image

CASES = ("a", "Fräulein 2")
UID = "1.2.826.0.1.3680043.8.498.1"


def rings_and_overlaps():
    """A ring, a class in two parts that overlaps it, one pixel, and a class that is absent."""
    masks = np.zeros((4, 7, 9), bool)
    masks[0, 1:6, 1:6] = True
    masks[0, 3, 3] = False
    masks[1, 0:4, 4:8] = masks[1, 6, 0:2] = True
    masks[2, 3, 3] = True
    return masks


# Arbitrary pixels, so holes, parts, overlaps, single pixels and empty classes occur.
SIZES = array_shapes(min_dims=2, max_dims=2, max_side=9)
MASKS = SIZES.flatmap(lambda size: arrays(bool, (4, *size), elements=st.booleans(), fill=st.just(False)))
APART = SIZES.flatmap(lambda size: arrays(np.uint8, size, elements=st.integers(0, 4))).map(
    lambda numbers: np.stack([numbers == number for number in range(1, 5)])
)
# Valid file names on every system, with all characters that XML, JSON and CSV escape, except / \\ , ;
NAMES = st.text(st.sampled_from("aZ9 äßéⅤ骨'\"&<>|%#=()+~^`$!.-_[]{}"), min_size=1, max_size=12).filter(
    lambda name: is_class_name(name) and not name.endswith(".")
)
CLASSES = st.lists(NAMES, min_size=4, max_size=4, unique_by=lambda name: name.casefold()).filter(
    lambda names: "background" not in names
)
ODD = ["Os capitatum", "Zähne \"5\" & 'ⅴ'", "-rf", "[x] *%s"]


def export(folder, formats, several, classes):
    """Export images with the names CASES."""
    files = MaskWriter(folder / "out", classes, formats)
    for case, masks in zip(CASES, several, strict=False):
        grey = np.zeros(masks.shape[1:], np.uint8)
        source = folder / f"{case}.dcm"
        if "dicomseg" in formats:
            write_image(
                source,
                grey,
                SOPClassUID="1.2.840.10008.5.1.4.1.1.1",
                SOPInstanceUID=UID,
                StudyInstanceUID="1.2.3",
                SeriesInstanceUID="1.2.4",
                Modality="CR",
            )
        files.add(case, masks, grey, file_name=f"{case}.png", source=source)
    files.finish()
    assert files.faults == []
    return folder / "out"


def assert_same(annotations, several, classes):
    """Check that the annotations are these masks; an absent class has no shape."""
    for annotation, masks in zip(annotations, several, strict=True):
        faults = []
        drawn = draw_masks(annotation, *masks.shape[1:], faults)
        assert faults == []
        assert annotation.size in (None, masks.shape[1:])
        assert set(drawn) == {name for name, mask in zip(classes, masks, strict=True) if mask.any()}
        for name, mask in drawn.items():
            np.testing.assert_array_equal(mask, masks[classes.index(name)])


@settings(max_examples=25)
@given(st.lists(MASKS, min_size=1, max_size=2), CLASSES)
@example([rings_and_overlaps()], ODD)
def test_coco(several, classes):
    with tempfile.TemporaryDirectory() as folder:
        out = export(Path(folder), ["coco"], several, classes)
        assert_same(read_coco(out / "coco.json"), several, classes)


@settings(max_examples=25)
@given(st.lists(MASKS, min_size=1, max_size=2), CLASSES)
@example([rings_and_overlaps()], ODD)
def test_cvat(several, classes):
    with tempfile.TemporaryDirectory() as folder:
        out = export(Path(folder), ["cvat"], several, classes)
        annotations = read_cvat(out / "annotations.xml")
        names = [f"{case}.png" for case in CASES[: len(several)]]
        assert [annotation.name for annotation in annotations] == names
        assert_same(annotations, several, classes)


@settings(max_examples=25)
@given(MASKS, CLASSES)
@example(rings_and_overlaps(), ODD)
def test_nifti(masks, classes):
    with tempfile.TemporaryDirectory() as folder:
        out = export(Path(folder), ["nifti"], [masks], classes)
        assert_same(read_nifti(out / "nifti/a.nii.gz"), [masks], classes)


@settings(max_examples=25)
@given(MASKS, CLASSES)
@example(rings_and_overlaps(), ODD)
def test_seg_nrrd(masks, classes):
    with tempfile.TemporaryDirectory() as folder:
        out = export(Path(folder), ["segnrrd"], [masks], classes)
        assert_same(read_seg_nrrd(out / "segnrrd/a.seg.nrrd"), [masks], classes)


@settings(max_examples=25)
@given(MASKS, CLASSES)
@example(rings_and_overlaps(), ODD)
def test_yolo(masks, classes):
    with tempfile.TemporaryDirectory() as folder:
        out = export(Path(folder), ["yolo"], [masks], classes)
        table = load_yolo_table(out / "yolo/data.yaml", "the table")
        assert_same(read_yolo(out / "yolo/labels/a.txt", table=table), [masks], classes)


@settings(max_examples=25)
@given(APART, CLASSES)
def test_label_map_of_classes_that_do_not_overlap(masks, classes):
    with tempfile.TemporaryDirectory() as folder:
        out = export(Path(folder), ["labelmap"], [masks], classes)
        table = read_class_table(out / "classes.csv")
        assert_same(read_label_map(out / "labelmaps/a.png", table=table), [masks], classes)


@settings(max_examples=25)
@given(MASKS.filter(np.any), CLASSES)
@example(rings_and_overlaps(), ODD)
def test_one_png_per_class(masks, classes):
    with tempfile.TemporaryDirectory() as folder:
        out = export(Path(folder), ["png"], [masks], classes)
        annotations = read_class_pngs(out / "masks/{case}/{class}.png", cases=CASES)
        assert_same(annotations, [masks], classes)


@settings(max_examples=25)
@given(MASKS.filter(lambda masks: masks.any() and masks[0].size >= 8), CLASSES)
@example(rings_and_overlaps(), ODD)
def test_dicom_seg(masks, classes):
    with tempfile.TemporaryDirectory() as folder:
        out = export(Path(folder), ["dicomseg"], [masks], classes)
        annotations = read_dicom_seg(out / "dicomseg/a.dcm", images={UID: "a.dcm"})
        assert [annotation.name for annotation in annotations] == ["a.dcm"]
        assert_same(annotations, [masks], classes)


def test_a_label_map_of_overlapping_classes_keeps_the_smaller_one(tmp_path):
    masks = rings_and_overlaps()
    out = export(tmp_path, ["labelmap"], [masks], ODD)
    (annotation,) = read_label_map(out / "labelmaps/a.png", table=read_class_table(out / "classes.csv"))
    drawn = draw_masks(annotation, 7, 9, [])
    np.testing.assert_array_equal(drawn["-rf"], masks[2])
    np.testing.assert_array_equal(drawn[ODD[1]], masks[1])
    np.testing.assert_array_equal(drawn[ODD[0]], masks[0] & ~masks[1] & ~masks[2])
