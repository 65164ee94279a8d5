"""What we write as DICOM is valid in the eyes of dciodvfy (David Clunie's dicom3tools)."""

import shutil
import subprocess

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from samcarry.formats.dicom_seg import write_dicom_seg
from samcarry.formats.dicom_sr import write_dicom_sr
from samcarry.measure.expressions import parse_expressions
from samcarry.measure.table import measure_image
from support.dicom_files import RADIOGRAPH
from support.dicom_files import write as write_image

CLASSES = ["Os capitatum", "Zähne"]
MASKS = np.zeros((2, 60, 80), bool)
MASKS[0, 10:40, 10:20] = MASKS[1, 20:50, 30:60] = True
NAMED = {
    **RADIOGRAPH,
    "PatientName": "Müller^Jörg",
    "SpecificCharacterSet": "ISO_IR 100",
}
# highdicom 0.28.2 writes these, and reads no file without them.
KNOWN = (
    "Empty attribute (no value) Type 1C Conditional Element=<SliceThickness> Module=<PixelMeasuresMacro>",
    "Shall not be present when ReferencedFrameNumber is present - attribute <ReferencedSegmentNumber>",
)


def errors_in(path):
    outcome = subprocess.run(
        ["dciodvfy", path], capture_output=True, text=True, errors="replace", check=False
    )
    lines = (outcome.stdout + outcome.stderr).splitlines()
    found = [line.removeprefix("Error - ") for line in lines if line.startswith("Error")]
    return [line for line in found if line not in KNOWN]


@pytest.mark.skipif(
    shutil.which("dciodvfy") is None,
    reason="NO DCIODVFY: no independent check of DICOM files (Debian: apt-get install dicom3tools)",
)
@pytest.mark.parametrize("size_of_pixels", [None, [0.5, 0.25]])
def test_segmentations_and_reports_are_valid(tmp_path, size_of_pixels):
    more = {"PixelSpacing": size_of_pixels, "FrameOfReferenceUID": "1.2.9"} if size_of_pixels else {}
    image = tmp_path / "image.dcm"
    write_image(image, np.zeros((60, 80), np.uint16), **NAMED, **more)
    assert errors_in(image)  # dciodvfy does find faults: this radiograph lacks what it must have
    expressions = parse_expressions({"gap": {"between": CLASSES}}, CLASSES, "measurements")
    probabilities = gaussian_filter(np.where(MASKS, 255.0, 0), (0, 1, 1)).astype(np.uint8)
    measured = measure_image(MASKS, probabilities, CLASSES, expressions, size_of_pixels)
    write_dicom_seg(tmp_path / "seg.dcm", image, MASKS, CLASSES)
    write_dicom_sr(tmp_path / "sr.dcm", image, tmp_path / "seg.dcm", measured, expressions)
    assert errors_in(tmp_path / "seg.dcm") == []
    assert errors_in(tmp_path / "sr.dcm") == []
