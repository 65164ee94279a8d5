"""DICOM structured reports (SR, TID 1500) of measurements; written only, by highdicom."""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from samcarry import __version__
from samcarry.formats.dicom_seg import source_header
from samcarry.images.dicom import hide_dicom_messages
from samcarry.measure.expressions import ANGLE, GAP, Expression
from samcarry.measure.intervals import Interval
from samcarry.measure.table import MM, Measured
from samcarry.storage.files import atomic

_OWN = "99SAMCARRY"  # the scheme of codes that the standard does not have
_PIXELS = Code("{pixels}", "UCUM", "pixels")
_SQUARE_PIXELS = Code("{pixels}2", "UCUM", "square pixels")
_NAMES = {
    "area": codes.SCT.Area,
    "centre_x": Code("centre-x", _OWN, "Centre, from the left edge of the image"),
    "centre_y": Code("centre-y", _OWN, "Centre, from the upper edge of the image"),
    "length": codes.SCT.Length,
    "width": codes.SCT.Width,
}
_GAP = Code("gap", _OWN, "Smallest distance between two contours")
_DISTANCE = Code("centre-distance", _OWN, "Distance between two centres of mass")
_XRAY = Code("363680008", "SCT", "Radiographic imaging procedure")
_SERIES_NUMBER = 1001  # after that of segmentations
_DEVICE = hd.UID.from_uuid(str(uuid.uuid5(uuid.NAMESPACE_URL, "samcarry")))


def write_dicom_sr(
    path: str | Path,
    source: str | Path,
    segmentation: str | Path,
    measured: Measured,
    expressions: Sequence[Expression],
) -> None:
    """Write measurements as a report (Comprehensive SR, TID 1500), atomically.

    Each class is a group that refers to its segment, and each expression one that refers to the image. A
    group is tracked by the name of its class or expression. The interval of a value is written as its upper
    and lower uncertainty.

    Args:
        path: the file to write.
        source: the DICOM radiograph.
        segmentation: the DICOM SEG of its masks, written by `write_dicom_seg`.
        measured: the measurements; at least one class.
        expressions: the expressions among them.

    Raises:
        InputError: the source lacks an element that a reference needs, or its header cannot be copied.
    """
    source = Path(source)
    with hide_dicom_messages(source):
        seg = dcmread(segmentation)
        header = source_header(source, (int(seg.Rows), int(seg.Columns)))
        groups: list[Any] = [
            *_of_classes(header, seg, measured),
            *_of_expressions(header, measured, expressions),
        ]
        observer = hd.sr.ObserverContext(
            observer_type=codes.DCM.Device,
            observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
                uid=_DEVICE, name="samcarry", manufacturer_name="samcarry", model_name=__version__
            ),
        )
        report = hd.sr.MeasurementReport(
            observation_context=hd.sr.ObservationContext(observer_device_context=observer),
            procedure_reported=_XRAY,
            imaging_measurements=groups,
            title=codes.DCM.ImagingMeasurementReport,
        )
        written = hd.sr.ComprehensiveSR(
            evidence=[header, seg],
            content=report[0],
            series_instance_uid=hd.UID(),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer="samcarry",
            is_complete=True,
        )
        written.SpecificCharacterSet = "ISO_IR 192"
        written.SeriesDescription = "Measurements by samcarry"
        with atomic(path) as private:
            written.save_as(private)


def _of_classes(
    header: Dataset, seg: Dataset, measured: Measured
) -> Iterator[hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations]:
    """One group for each segment, in their order; frames and segments have the same numbers."""
    origin = hd.sr.SourceImageForSegmentation(header.SOPClassUID, header.SOPInstanceUID)
    for segment in seg.SegmentSequence:
        number, name = int(segment.SegmentNumber), str(segment.SegmentLabel)
        values = measured.classes[name]
        units = _units(measured)
        yield hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier=name),
            referenced_segment=hd.sr.ReferencedSegmentationFrame(
                seg.SOPClassUID, seg.SOPInstanceUID, number, number, origin
            ),
            finding_type=codes.SCT.AnatomicalStructure,
            algorithm_id=_algorithm(),
            measurements=[_measurement(_NAMES[key], values[key], units[key == "area"]) for key in _NAMES],
        )


def _of_expressions(
    header: Dataset, measured: Measured, expressions: Sequence[Expression]
) -> Iterator[hd.sr.MeasurementsAndQualitativeEvaluations]:
    image = hd.sr.SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID)
    for expression in expressions:
        if expression.name not in measured.expressions:
            continue
        if expression.kind == ANGLE:
            name, unit = codes.SCT.Angle, codes.UCUM.Degree
        else:
            name, unit = (_GAP if expression.kind == GAP else _DISTANCE), _units(measured)[0]
        yield hd.sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier=expression.name),
            algorithm_id=_algorithm(),
            measurements=[_measurement(name, measured.expressions[expression.name], unit)],
            source_images=[image],
        )


def _units(measured: Measured) -> tuple[Code, Code]:
    """The units of lengths and areas."""
    if measured.unit == MM:
        return codes.UCUM.Millimeter, codes.UCUM.SquareMillimeter
    return _PIXELS, _SQUARE_PIXELS


def _measurement(name: Code, interval: Interval, unit: Code) -> hd.sr.Measurement:
    return hd.sr.Measurement(
        name=name,
        value=_rounded(interval.value),
        unit=unit,
        properties=hd.sr.MeasurementProperties(
            upper_measurement_uncertainty=_rounded(interval.high - interval.value),
            lower_measurement_uncertainty=_rounded(interval.value - interval.low),
        ),
    )


def _rounded(value: float) -> float:
    return round(value, 3)


def _algorithm() -> hd.sr.AlgorithmIdentification:
    return hd.sr.AlgorithmIdentification(name="samcarry", version=__version__)
