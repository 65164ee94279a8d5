"""Masks as DICOM SEG: one segmentation object a radiograph, a segment for each class that is present.

The one output that tells whose image it was: the standard has a segmentation carry the patient and study
of the image that it refers to.
"""

from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from samcarry import __version__
from samcarry.dicom import quiet
from samcarry.errors import InputError
from samcarry.exporting import colours_of
from samcarry.files import atomic

# Without these nothing can refer to an image.
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality")
# They must be in a segmentation but may be empty (type 2 of the standard).
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
_LONGEST_LABEL = 64  # characters, of the standard's "long string"
_FEWEST_PIXELS = 8  # highdicom 0.28 packs the bits of smaller frames wrongly
_SERIES_NUMBER = 1000  # beyond those that a modality gives


def write_dicom_seg(
    path: str | Path, source: str | Path, masks: NDArray[np.bool_], classes: Sequence[str]
) -> None:
    """Write masks (class, height, width) as a segmentation that refers to `source`, atomically.

    Binary, a frame a segment, so that holes, parts and overlaps survive; a class without a pixel has no
    segment. Labels are the names of the classes; what they mean is told no closer than "anatomical
    structure", since names of classes are no codes.

    Args:
        path: the file to write.
        source: the DICOM radiograph, of the masks' size.
        masks: at least one of them has a pixel.
        classes: their names.

    Raises:
        InputError: the source lacks what a reference needs, has another size, or its header cannot
            be carried over; a name is too long.
    """
    source = Path(source)
    present = [index for index, mask in enumerate(masks) if mask.any()]
    if not present:
        raise ValueError("a segmentation needs a mask with a pixel")
    colours = colours_of(len(classes))
    segments = [_segment(n, classes[index], colours[index]) for n, index in enumerate(present, 1)]
    with quiet(source):
        header = _source_header(source, masks.shape[1:])
        segmentation = hd.seg.Segmentation(
            source_images=[header],
            pixel_array=np.moveaxis(masks[present], 0, -1)[None].astype(np.uint8),
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=segments,
            series_instance_uid=hd.UID(),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="samcarry",
            manufacturer_model_name="samcarry",
            software_versions=__version__,
            device_serial_number="0",
            content_label="SAMCARRY",
            series_description="Segmentation by samcarry",
            specific_character_set="ISO_IR 192",  # UTF-8, whatever the source has
            transfer_syntax_uid=ExplicitVRLittleEndian,
        )
        with atomic(path) as private:
            segmentation.save_as(private)


def _segment(number: int, name: str, colour: tuple[int, int, int]) -> hd.seg.SegmentDescription:
    """One class as a segment, numbered from 1."""
    if len(name) > _LONGEST_LABEL:
        raise InputError(
            f"class {name!r}: DICOM has labels of at most {_LONGEST_LABEL} characters; shorten it"
        )
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.AnatomicalStructure,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="samcarry", version=__version__, family=codes.DCM.ArtificialIntelligence
        ),
        display_color=hd.color.CIELabColor.from_rgb(*colour),
    )


def _source_header(path: Path, size: tuple[int, ...]) -> Dataset:
    """The header of a radiograph, fit to be referred to."""
    header = dcmread(path, stop_before_pixels=True, force=True)
    if missing := [keyword for keyword in _NEEDED if not header.get(keyword)]:
        raise InputError(
            f"{path}: no DICOM SEG can refer to it, since it has no {', '.join(missing)}; "
            "export it from the archive with its identifiers"
        )
    if size[0] * size[1] < _FEWEST_PIXELS:
        raise InputError(f"{path}: is too small for a DICOM SEG; it takes {_FEWEST_PIXELS} pixels or more")
    if (header.get("Rows"), header.get("Columns")) != size:
        raise InputError(f"{path}: is not of its masks' size, {size[1]} x {size[0]}; predict it anew")
    for keyword in _MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, None)
    if "FrameOfReferenceUID" not in header and "PixelSpacing" in header:
        # highdicom would write it without a slice thickness, which a radiograph has not, and then not
        # read its own file. Who needs the scale finds it in the image referred to.
        del header.PixelSpacing
    return header
