"""DICOM SR: measurements are read back by highdicom and pydicom, and refer to image and segments."""

from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes
from scipy.ndimage import gaussian_filter

from samcarry.errors import InputError
from samcarry.formats.dicom_seg import write_dicom_seg
from samcarry.formats.dicom_sr import write_dicom_sr
from samcarry.images.dicom import read_dicom
from samcarry.measure.expressions import parse_expressions
from samcarry.measure.table import measure_image
from support.dicom_files import RADIOGRAPH
from support.dicom_files import write as write_image

CLASSES = ["Os capitatum", "Zähne", "leer"]
MASKS = np.zeros((3, 60, 80), bool)
MASKS[0, 10:40, 10:20] = MASKS[1, 20:50, 30:60] = True
UIDS = {
    **RADIOGRAPH,
    "PatientName": "Müller^Jörg",
    "SpecificCharacterSet": "ISO_IR 100",
    "InstitutionName": "Secret Hospital",
    "PatientComments": "Secret",
    "FrameOfReferenceUID": "1.2.9",
    "PixelSpacing": [0.5, 0.25],
}
BLOCK = {
    "spalt": {"between": CLASSES[:2]},
    "centres": {"between": [f"centre of {name}" for name in CLASSES[:2]]},
    "tilt": {"between": ["axis of Os capitatum", "horizontal"]},
    "none": {"between": ["leer", "Zähne"]},
}


def report(folder, source, masks=MASKS, spacing=None, classes=CLASSES, block=BLOCK):
    """The measurements, and the report that highdicom reads."""
    expressions = parse_expressions(block, classes, "measurements")
    probabilities = gaussian_filter(np.where(masks, 255.0, 0), (0, 1, 1)).astype(np.uint8)
    measured = measure_image(masks, probabilities, classes, expressions, spacing)
    write_dicom_seg(folder / "seg.dcm", source, masks, classes)
    write_dicom_sr(folder / "sr.dcm", source, folder / "seg.dcm", measured, expressions)
    return measured, hd.sr.srread(folder / "sr.dcm")


def values_of(group):
    return {m.name.meaning: (float(m.value), m.unit.value) for m in group.get_measurements()}


def test_every_measurement_is_read_back(tmp_path):
    source = write_image(tmp_path / "a.dcm", np.zeros((60, 80), np.uint8), bits=8, **UIDS)
    measured, read = report(tmp_path, source, spacing=(0.5, 0.25))
    groups = read.content.get_planar_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == CLASSES[:2]
    for group in groups:
        intervals = measured.classes[group.tracking_identifier]
        found = values_of(group)
        assert found["Area"] == (pytest.approx(intervals["area"].value, abs=0.001), "mm2")
        assert found["Length"] == (pytest.approx(intervals["length"].value, abs=0.001), "mm")
        assert found["Centre, from the left edge of the image"][0] == pytest.approx(
            intervals["centre_x"].value, abs=0.001
        )
    assert values_of(groups[0])["Length"][0] == pytest.approx(15, abs=0.3)
    others = {
        group.tracking_identifier: values_of(group) for group in read.content.get_image_measurement_groups()
    }
    assert set(others) == {"spalt", "centres", "tilt"}
    gap = others["spalt"]["Smallest distance between two contours"]
    assert gap == (pytest.approx(2.5, abs=0.2), "mm")
    assert others["tilt"] == {"Angle": (pytest.approx(90, abs=0.1), "deg")}


def test_the_interval_is_the_uncertainty(tmp_path):
    source = write_image(tmp_path / "a.dcm", np.zeros((60, 80), np.uint8), bits=8, **UIDS)
    measured, read = report(tmp_path, source)
    group = read.content.get_planar_roi_measurement_groups()[0]
    area = measured.classes[CLASSES[0]]["area"]
    assert area.low < area.value < area.high
    assert values_of(group)["Area"] == (pytest.approx(area.value), "{pixels}2")
    [written] = [
        item for item in group[0].ContentSequence if item.ConceptNameCodeSequence[0].CodeMeaning == "Area"
    ]
    numbers = [
        float(item.MeasuredValueSequence[0].NumericValue)
        for item in written.ContentSequence
        if "MeasuredValueSequence" in item
    ]
    assert sorted(numbers) == pytest.approx(
        sorted([area.high - area.value, area.value - area.low]), abs=0.001
    )


def test_it_refers_to_the_image_and_to_the_segments(tmp_path):
    source = write_image(tmp_path / "a.dcm", np.zeros((60, 80), np.uint8), bits=8, **UIDS)
    _, read = report(tmp_path, source)
    segmentation = hd.seg.segread(tmp_path / "seg.dcm")
    for group, segment in zip(
        read.content.get_planar_roi_measurement_groups(), segmentation.SegmentSequence, strict=True
    ):
        frame = group.referenced_segmentation_frame
        assert group.reference_type == codes.DCM.ReferencedSegmentationFrame
        assert frame.referenced_sop_instance_uid == segmentation.SOPInstanceUID
        assert frame.referenced_segment_numbers == [segment.SegmentNumber]
        assert group.tracking_identifier == segment.SegmentLabel
    header = dcmread(tmp_path / "sr.dcm")
    assert (header.Modality, header.SOPClassUID.name) == ("SR", "Comprehensive SR Storage")
    referenced = {
        instance.ReferencedSOPInstanceUID
        for study in header.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert referenced == {"1.2.3.4", segmentation.SOPInstanceUID}
    assert str(header.PatientName) == "Müller^Jörg"
    content = (tmp_path / "sr.dcm").read_bytes()
    assert not any(secret in content for secret in (b"Hospital", b"Secret", b"1.2.9"))


def test_an_image_without_identifiers_has_no_report(tmp_path):
    source = write_image(tmp_path / "a.dcm", np.zeros((60, 80), np.uint8), bits=8, **UIDS)
    report(tmp_path, source)
    bare = write_image(tmp_path / "b.dcm", np.zeros((60, 80), np.uint8), bits=8)
    measured = measure_image(MASKS, MASKS.astype(np.uint8) * 255, CLASSES, [], None)
    with pytest.raises(InputError, match="has no SOPClassUID"):
        write_dicom_sr(tmp_path / "c.dcm", bare, tmp_path / "seg.dcm", measured, [])
    assert not (tmp_path / "c.dcm").exists()


GENUINE = Path(__file__).parents[4] / "shared/data/dicom"


@pytest.mark.parametrize("name", ["CR-MONO1-10-chest", "RG1_J2KI", "RG2_J2KI", "RG3_JPLL", "RG3_RLE"])
def test_genuine_radiographs(tmp_path, name):
    source = GENUINE / f"{name}.dcm"
    if not source.exists():
        pytest.skip(f"{source} is not there: reports of genuine radiographs are not tested")
    values = read_dicom(source, 100_000_000, with_voi=True).values
    masks = np.zeros((1, *values.shape), bool)
    masks[0, 100:400, 50:150] = True
    try:
        _, read = report(tmp_path, source, masks, (0.2, 0.2), ["bone"], {})
    except InputError as error:
        assert "which a DICOM SEG has to refer to" in str(error)  # noqa: PT017
        pytest.skip(f"{name}: {error}")
    [group] = read.content.get_planar_roi_measurement_groups()
    assert values_of(group)["Length"] == (pytest.approx(60, abs=0.01), "mm")
    assert values_of(group)["Width"] == (pytest.approx(20, abs=0.01), "mm")
