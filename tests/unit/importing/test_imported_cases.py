"""What an import makes of images, patients and splits beside the masks."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from samcarry.data.cases import find_cases
from samcarry.errors import InputError
from samcarry.images.grey import read_grey
from samcarry.importing.annotations import NO_SPLIT, import_annotations
from support.cvat_files import bone
from support.cvat_files import image as cvat_image
from support.cvat_files import polygon as cvat_polygon
from support.imported_study import coco, labels, make_study, refused


@pytest.fixture
def study(tmp_path) -> dict:
    return make_study(tmp_path)


def test_a_cvat_export_with_the_class_in_an_attribute_and_shapes_that_are_passed_over(study, tmp_path):
    shapes = (
        cvat_polygon(label="Knochen", inside=bone("Os capitatum")),
        cvat_polygon(label="Gips"),
        '<polyline label="Knochen" points="1,1;2,2"/>',
    )
    path = tmp_path / "a.xml"
    path.write_text(f"<annotations>{cvat_image(*shapes, name='part1/a.png')}</annotations>")
    summary = import_annotations(
        **study
        | {"form": "cvat", "annotations": {NO_SPLIT: [path]}, "classes": {"Os capitatum": "capitate"}},
        options={"label": "Knochen", "attribute": "Anatomie"},
    )
    assert labels(study) == {"capitate": 6}
    assert summary[-1] == "passed over 2: label Gips 1, polyline 1"


def write_dicom(path: Path) -> None:
    """A radiograph of 12 bits, 0 to 2900, on which a person is named."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    header.PatientName, header.SOPInstanceUID = "Doe^Jane", "1.2.3"
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID
    header.Rows, header.Columns, header.SamplesPerPixel = 5, 6, 1
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.PhotometricInterpretation = "MONOCHROME1"
    header.PixelData = (np.arange(30, dtype=np.uint16) * 100).tobytes()
    header.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("window", [None, (0, 100)])
def test_of_dicom_the_grey_values_are_copied_and_not_the_header(study, tmp_path, window):
    write_dicom(study["images"] / "x.dcm")
    annotations = {NO_SPLIT: [coco(tmp_path / "x.json", "x.png")]}
    import_annotations(**study | {"annotations": annotations}, window=window)
    assert labels(study, "x") == {"Radius": 6, "Ulna": 6}
    copied = study["destination"] / "images" / "x.png"
    assert b"Doe" not in b"".join(f.read_bytes() for f in study["destination"].rglob("*") if f.is_file())
    original = read_grey(study["images"] / "x.dcm", window).astype(int)
    assert np.abs(read_grey(copied, window) - original).max() <= 1
    assert original[0, 0] == 255  # MONOCHROME1: 0 is white


def test_a_dicom_file_that_cannot_be_read_is_a_fault_beside_others(study, tmp_path):
    (study["images"] / "x.dcm").write_bytes(b"no DICOM")
    (tmp_path / "broken.json").write_text("{")
    json_line, dicom_line = refused(study, annotations={NO_SPLIT: [tmp_path / "broken.json"]})
    assert ["no JSON" in json_line, "x.dcm: " in dicom_line] == [True, True]


def test_a_sheet_gives_patient_split_and_order_and_names_what_is_missing(study, tmp_path):
    sheet = tmp_path / "cases.csv"
    sheet.write_text("case;patient;split;order\na;P1;train;7\nc;P2;unlabelled;\nlost;P3;test;\nb;P4;;\n")
    summary = import_annotations(**study, cases=sheet)
    cases, _ = find_cases(study["destination"])
    assert [(c.case, c.patient, c.split, c.order, c.labels is not None) for c in cases] == [
        ("a", "P1", "train", 7, True),
        ("b", "P4", "unlabelled", None, False),
        ("c", "P2", "unlabelled", None, True),  # hidden labels, for full supervision
        ("d", "d", "unlabelled", None, False),
    ]
    assert summary[-1] == f"{sheet}: 1 cases without an image file (lost)"


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        ("a,train", ["gives no split for the annotated case 'c'"]),
        ("a,train\nc,val\nd,test", ["case 'd' is in test but is not annotated"]),
        ("a,training\na,val", ["split 'training' of case 'a' is unknown", "two rows for case 'a'"]),
    ],
)
def test_faults_of_the_sheet(study, tmp_path, rows, faults):
    sheet = tmp_path / "cases.csv"
    sheet.write_text(f"case,split\n{rows}\n")
    lines = refused(study, cases=sheet)
    assert all(line.startswith(f"{sheet}: ") for line in lines)
    assert all(any(fault in line for line in lines) for fault in faults)


def test_counts_split_by_the_numbers_in_names_and_missing_images_keep_their_place(study, tmp_path):
    names = [f"{number}.png" for number in (10, 9, 2, 1, 30)]
    for name in names[1:]:
        Image.new("L", (6, 5)).save(study["images"] / name)
    changes = {"annotations": {NO_SPLIT: [coco(tmp_path / "n.json", *names)]}}
    counts = {"train": 2, "unlabelled": 1, "val": 1, "test": 1}
    import_annotations(**study | changes, counts=counts)
    rows = (study["destination"] / "cases.csv").read_text().splitlines()
    assert rows[:5] == ["case,split,order", "1,train,1", "2,train,2", "30,test,", "9,unlabelled,"]
    assert (study["destination"] / "labels" / "9" / "Ulna.png").exists()
    (line,) = refused_again(study, changes, counts={"train": 2})
    assert "add up to 2, but 5 images are annotated" in line


def refused_again(study: dict, changes: dict, **more) -> list[str]:
    """The faults where an earlier import is there, which stays as it was."""
    before = {file: file.read_bytes() for file in study["destination"].rglob("*") if file.is_file()}
    with pytest.raises(InputError) as caught:
        import_annotations(**study | changes, **more)
    assert before == {file: file.read_bytes() for file in study["destination"].rglob("*") if file.is_file()}
    return str(caught.value).splitlines()


def test_classes_that_take_nothing_at_all_are_a_fault(study):
    (line,) = refused(study, wanted=["ulna"])
    assert "no shape is of a class asked for (they are: Radius 3, Ulna 3)" in line


def test_what_stays_the_same_keeps_its_time_so_that_nothing_is_made_of_it_again(study):
    import_annotations(**study)
    files = list(study["destination"].rglob("*.png"))
    for file in files:
        os.utime(file, (1_000_000, 1_000_000))
    Image.new("L", (6, 5)).save(study["images"] / "b.png")
    import_annotations(**study)
    renewed = {file.name for file in files if file.stat().st_mtime > 1_000_000}
    assert renewed == {"b.png"}
