"""Folders of the user: images and annotation files are found, named and copied; nothing outside is read."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from samcarry.errors import InputError
from samcarry.images.grey import read_grey
from samcarry.importing.annotations import NO_SPLIT, import_annotations
from samcarry.importing.folders import (
    copy_image,
    expand_folders,
    find_image_files,
    keep_timestamps,
)
from support.imported_study import coco, labels, make_study, refused


@pytest.fixture
def study(tmp_path) -> dict:
    return make_study(tmp_path)


@pytest.mark.parametrize(
    "name", ["../a.png", "x/../../a.png", "/etc/a.png", "C:\\a.png", "", "..", "a\n.png"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(study, tmp_path, name):
    (line,) = refused(study, annotations={NO_SPLIT: [coco(tmp_path / "x.json", name)]})
    assert line.startswith(f"{tmp_path / 'x.json'}: image ")


def test_links_out_of_the_folder_and_duplicate_names_are_refused(study, tmp_path):
    Image.new("L", (6, 5)).save(tmp_path / "secret.png")
    (study["images"] / "link.png").symlink_to(tmp_path / "secret.png")
    Image.new("L", (6, 5)).save(study["images"] / "deep" / "a.jpg")
    lines = refused(study)
    assert ["leads out of" in lines[0], "a second image of case 'a'" in lines[1]] == [True, True]


def write_dicom(path: Path) -> None:
    """A 12-bit radiograph, 0 to 2900, whose header names a person."""
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
def test_only_the_grey_values_of_dicom_are_copied_and_not_the_header(study, tmp_path, window):
    write_dicom(study["images"] / "x.dcm")
    annotations = {NO_SPLIT: [coco(tmp_path / "x.json", "x.png")]}
    import_annotations(**study | {"annotations": annotations}, window=window)
    assert labels(study, "x") == {"Radius": 6, "Ulna": 6}
    copied = study["destination"] / "images" / "x.png"
    assert b"Doe" not in b"".join(f.read_bytes() for f in study["destination"].rglob("*") if f.is_file())
    original = read_grey(study["images"] / "x.dcm", window).astype(int)
    assert np.abs(read_grey(copied, window) - original).max() <= 1
    assert original[0, 0] == 255  # MONOCHROME1: 0 is white


def test_an_unreadable_dicom_file_is_reported_with_other_faults(study, tmp_path):
    (study["images"] / "x.dcm").write_bytes(b"no DICOM")
    (tmp_path / "broken.json").write_text("{")
    json_line, dicom_line = refused(study, annotations={NO_SPLIT: [tmp_path / "broken.json"]})
    assert ["not JSON" in json_line, "x.dcm: " in dicom_line] == [True, True]


def test_unchanged_files_keep_their_timestamps(study):
    import_annotations(**study)
    files = list(study["destination"].rglob("*.png"))
    for file in files:
        os.utime(file, (1_000_000, 1_000_000))
    Image.new("L", (6, 5)).save(study["images"] / "b.png")
    import_annotations(**study)
    renewed = {file.name for file in files if file.stat().st_mtime > 1_000_000}
    assert renewed == {"b.png"}


def test_images_are_found_in_subfolders_and_other_files_are_ignored(tmp_path):
    litter = (".hidden.png", "deep/._d.png", ".cache/e.png", "@eaDir/f.png", "notes.txt", "Thumbs.db")
    for name in ("b.PNG", "deep/a.jpeg", "deep/er/c.dcm", *litter):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    faults: list[str] = []
    names = {"a": "deep/a.jpeg", "b": "b.PNG", "c": "deep/er/c.dcm"}
    assert find_image_files(tmp_path, faults) == {case: tmp_path / name for case, name in names.items()}
    assert faults == []
    with pytest.raises(InputError, match="no such folder"):
        find_image_files(tmp_path / "none", faults)


def test_a_name_that_cannot_be_a_case_is_a_fault(tmp_path):
    (tmp_path / " a.png").touch()
    faults: list[str] = []
    assert find_image_files(tmp_path, faults) == {}
    (fault,) = faults
    assert fault.startswith(f"{tmp_path / ' a.png'}: ")


def test_folders_are_expanded_to_the_files_with_a_suffix(tmp_path):
    folder = tmp_path / "folder"
    for name in ("b.json", "deep/a.JSON", "meta.json", ".c.json", "d.xml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (tmp_path / "secret.json").touch()
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    (tmp_path / "empty").mkdir()
    faults: list[str] = []
    paths = [tmp_path / "any name", folder, tmp_path / "empty"]
    found = list(expand_folders(paths, (".json",), ("meta.json",), faults))
    assert found == [
        (tmp_path / "any name", "."),
        (folder / "b.json", "."),
        (folder / "deep/a.JSON", "deep"),
    ]
    link, empty = faults
    assert link.startswith(f"{folder / 'link.json'}: is a link that leads out of")
    assert empty.startswith(f"{tmp_path / 'empty'}: holds no .json file")


def test_other_images_than_dicom_are_copied_unchanged_with_a_lower_case_suffix(tmp_path):
    (tmp_path / "a.PNG").write_bytes(b"any content")
    copy_image(tmp_path / "a.PNG", tmp_path / "b.c", None)
    assert (tmp_path / "b.c.png").read_bytes() == b"any content"


def test_only_files_with_the_same_place_and_content_keep_their_timestamps(tmp_path):
    for folder, texts in (("old", {"a": "1", "b": "1", "x/c": "1"}), ("new", {"a": "1", "b": "2", "c": "1"})):
        for name, text in texts.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if folder == "old":
                os.utime(path, (1_000_000, 1_000_000))
    keep_timestamps(tmp_path / "new", tmp_path / "old")
    kept = {file.name for file in (tmp_path / "new").iterdir() if file.stat().st_mtime == 1_000_000}
    assert kept == {"a"}
