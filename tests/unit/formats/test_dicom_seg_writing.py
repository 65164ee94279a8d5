"""DICOM SEG out: highdicom reads it, it refers to its image, and what cannot be referred to is told."""

import logging

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread

from samcarry.errors import InputError
from samcarry.formats.dicom_seg import write_dicom_seg
from support.dicom_files import write as write_image

CLASSES = ["Os capitatum", "Zähne", "leer"]
MASKS = np.zeros((3, 4, 5), bool)
MASKS[0, 1:3, 1:4] = MASKS[1, 2:, 2:] = True
UIDS = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1",
    "SOPInstanceUID": "1.2.3.4",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.5",
    "Modality": "CR",
}


def radiograph(path, **elements):
    write_image(path, np.zeros((4, 5), np.uint8), bits=8, **{**UIDS, **elements})
    return path


def exported(folder, **elements):
    write_dicom_seg(folder / "seg.dcm", radiograph(folder / "a.dcm", **elements), MASKS, CLASSES)
    return folder / "seg.dcm"


@pytest.mark.parametrize("spacing", [None, [0.2, 0.2]])
def test_highdicom_reads_the_masks_by_their_image(tmp_path, spacing):
    elements = {"PixelSpacing": spacing} if spacing else {}
    segmentation = hd.seg.segread(exported(tmp_path, **elements))
    pixels = segmentation.get_pixels_by_source_instance(["1.2.3.4"], ignore_spatial_locations=True)
    np.testing.assert_array_equal(pixels[0].transpose(2, 0, 1), MASKS[:2])
    described = [(d.segment_number, d.segment_label) for d in segmentation.SegmentSequence]
    assert described == [(1, "Os capitatum"), (2, "Zähne")]
    assert segmentation.SegmentsOverlap == "YES"


def test_patient_and_study_are_those_of_the_image_whatever_its_character_set(tmp_path):
    told = {
        "SpecificCharacterSet": "ISO_IR 100",
        "PatientName": "Müller^Jörg",
        "PatientID": "7",
        "StudyDate": "20200131",
        "PatientSex": "M",
    }
    header = dcmread(exported(tmp_path, **told))
    assert header.SpecificCharacterSet == "ISO_IR 192"
    assert str(header.PatientName) == "Müller^Jörg"
    assert (header.PatientID, header.StudyDate, header.PatientSex) == ("7", "20200131", "M")
    assert (header.StudyInstanceUID, header.Modality) == ("1.2.3", "SEG")
    assert header.SeriesInstanceUID != "1.2.5"
    (series,) = header.ReferencedSeriesSequence
    (instance,) = series.ReferencedInstanceSequence
    assert (series.SeriesInstanceUID, instance.ReferencedSOPInstanceUID) == ("1.2.5", "1.2.3.4")


def test_nothing_of_the_header_is_logged(tmp_path, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        exported(tmp_path, PatientName="Secret^Name")
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_elements_that_may_be_empty_need_not_be_there(tmp_path):
    assert dcmread(exported(tmp_path)).AccessionNumber in (None, "")


@pytest.mark.parametrize("missing", sorted(UIDS))
def test_an_image_without_an_identifier_is_told_by_what_it_lacks(tmp_path, missing):
    with pytest.raises(InputError, match=f"has no {missing}") as caught:
        exported(tmp_path, **{missing: ""})
    assert "Secret" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


@pytest.mark.parametrize("broken", [{"PatientSex": "X"}, {"PatientBirthDate": "secret"}])
def test_a_header_that_cannot_be_carried_over_is_a_line_that_tells_no_secret(tmp_path, broken):
    with pytest.raises(InputError) as caught:
        exported(tmp_path, **broken)
    assert str(caught.value).count("\n") == 0
    assert "secret" not in str(caught.value).lower()


def test_masks_of_another_size_are_refused(tmp_path):
    source = radiograph(tmp_path / "a.dcm")
    with pytest.raises(InputError, match="masks' size"):
        write_dicom_seg(tmp_path / "b.dcm", source, MASKS[:, :3], CLASSES)


def test_a_name_beyond_what_dicom_holds_is_refused(tmp_path):
    source = radiograph(tmp_path / "a.dcm")
    with pytest.raises(InputError, match="at most 64 characters"):
        write_dicom_seg(tmp_path / "b.dcm", source, MASKS[:1], ["x" * 65])
