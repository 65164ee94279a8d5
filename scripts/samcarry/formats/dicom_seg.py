"""DICOM Segmentation objects (DICOM SEG): reading and writing masks.

highdicom writes them. Functional groups are read here, since highdicom 0.28 refuses usable files: frames that
do not name their image, two frames of one segment and image, or missing shared functional groups, codes of
segment types, study UID or dimension index.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.filereader import read_file_meta_info
from pydicom.sr.codedict import codes
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, SegmentationStorage

from samcarry import __version__
from samcarry.errors import InputError, raise_faults
from samcarry.geometry.run_lengths import encode_mask
from samcarry.geometry.shapes import Annotation, ClassMapper, LabelledShape, same_name
from samcarry.images import MOST_PIXELS
from samcarry.images.colours import class_colours_8bit
from samcarry.images.dicom import hide_dicom_messages, is_dicom
from samcarry.storage.files import atomic

_LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"  # not yet in pydicom's list
_MAX_VALUES = 500_000_000  # pixels of all frames

# No other element is read: the header may name people and dates.
_ELEMENTS = [
    "SOPClassUID",
    "SegmentationType",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "SegmentSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ReferencedSeriesSequence",
    "PixelData",
]


def read_dicom_seg(
    path: str | Path, map_class: ClassMapper = same_name, *, images: Mapping[str, str]
) -> list[Annotation]:
    """Read a segmentation object; frames of the same segment and image are united.

    Args:
        path: the DICOM file.
        map_class: maps a segment's label to a class, None to skip its frames.
        images: {SOP instance UID: name of the image}, see `image_names_by_uid`.

    Returns:
        One annotation for each image that it refers to. An image that is not in `images` is called "image of"
        this file, a name that no image has.

    Raises:
        InputError: one line per fault: a file that is not DICOM, damaged, truncated, far too large or not a
            binary segmentation; a frame without a segment or without an image.
    """
    path = Path(path)
    with hide_dicom_messages(path):
        header = _read_elements(path, _ELEMENTS)
        _check_readable(header, path)
        frames = header.pixel_array.reshape(-1, header.Rows, header.Columns)
        labels = {int(entry.SegmentNumber): str(entry.SegmentLabel) for entry in header.SegmentSequence}
        faults: list[str] = []
        classes = _segment_classes(labels, map_class, path, faults)
        shapes: dict[str, list[LabelledShape]] = {uid: [] for uid in _referenced_uids(header)}
        try:
            groups = list(zip(frames, _frame_groups(header, len(frames)), strict=True))
            for number, (frame, (segment, uid)) in enumerate(groups, start=1):
                if segment not in labels:
                    faults.append(
                        f"{path}: frame {number} has segment {segment}, which the file does not describe; "
                        "export it again"
                    )
                elif (name := classes[segment]) is not None:
                    shape = LabelledShape(f"frame {number}", name, (encode_mask(frame != 0),))
                    shapes.setdefault(uid, []).append(shape)
        except InputError as error:
            faults.append(f"{path}: {error}")
        raise_faults(faults)
    size = (int(header.Rows), int(header.Columns))
    unknown = f"image of {path.stem}"
    return [Annotation(path, images.get(uid, unknown), size, tuple(found)) for uid, found in shapes.items()]


def image_names_by_uid(files: Iterable[Path], folder: Path, faults: list[str]) -> dict[str, str]:
    """{SOP instance UID: path below `folder`} of the DICOM images among `files`."""
    names: dict[str, str] = {}
    for file in files:
        if not is_dicom(file):
            continue
        try:
            with hide_dicom_messages(file):
                uid = str(_read_elements(file, ["SOPInstanceUID"]).SOPInstanceUID)
        except InputError as error:
            faults.append(str(error))
            continue
        if uid in names:
            faults.append(f"{file}: is the same DICOM object as {names[uid]}; remove one of the two")
        names[uid] = file.relative_to(folder).as_posix()
    return names


def _read_elements(path: Path, elements: list[str]) -> Dataset:
    """Read only the given elements of a DICOM file."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; save it again or remove it")
    # A small deflated file can hold a header of any size.
    if read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        raise InputError(f"{path}: is a deflated DICOM file; export it uncompressed")
    return dcmread(path, specific_tags=elements)


def _check_readable(header: Dataset, path: Path) -> None:
    """Refuse all but uncompressed binary segmentations of a possible size."""
    kind = header.get("SOPClassUID")
    if kind not in (SegmentationStorage, _LABEL_MAP_STORAGE):
        raise InputError(
            f"{path}: is a DICOM file, but not a segmentation (SEG); set the folder of the segmentations"
        )
    if header.get("SegmentationType") != "BINARY" or header.get("BitsAllocated") != 1:
        raise InputError(f"{path}: is a segmentation that is not BINARY; export it as a binary one")
    if header.file_meta.TransferSyntaxUID.is_compressed:
        raise InputError(f"{path}: is a compressed segmentation; export it uncompressed")
    pixels = int(header.Rows) * int(header.Columns)
    if not 0 < pixels <= MOST_PIXELS or pixels * int(header.get("NumberOfFrames") or 1) > _MAX_VALUES:
        raise InputError(
            f"{path}: has {header.get('NumberOfFrames')} frames of {header.Columns} x {header.Rows} pixels, "
            "which is too large; export less of it, or one file per image"
        )


def _segment_classes(
    labels: Mapping[int, str], map_class: ClassMapper, path: Path, faults: list[str]
) -> dict[int, str | None]:
    """{segment number: class, None to skip it}."""
    classes: dict[int, str | None] = {}
    for number, label in labels.items():
        try:
            classes[number] = map_class(label)
        except InputError as error:
            classes[number] = None
            faults.append(f"{path}: segment {number} {error}")
    return classes


def _referenced_uids(header: Dataset) -> list[str]:
    """The UIDs of all images that the object refers to; those with empty masks have no frames."""
    return [
        str(instance.ReferencedSOPInstanceUID)
        for series in header.get("ReferencedSeriesSequence") or ()
        for instance in series.get("ReferencedInstanceSequence") or ()
    ]


def _frame_groups(header: Dataset, count: int) -> Iterator[tuple[int, str]]:
    """Segment number and image UID of each frame."""
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or ()), Dataset())
    each = header.get("PerFrameFunctionalGroupsSequence") or [Dataset()] * count
    referenced = _referenced_uids(header)
    if len(each) != count:
        raise InputError(f"describes {len(each)} frames and holds {count}; export it again")
    for number, own in enumerate(each, start=1):
        segments = _group_items("SegmentIdentificationSequence", own, shared)
        if len(segments) != 1:
            raise InputError(f"frame {number} does not name one segment; export it again")
        uids = {
            str(source.ReferencedSOPInstanceUID)
            for derivation in _group_items("DerivationImageSequence", own, shared)
            for source in derivation.get("SourceImageSequence") or ()
        } or set(referenced)
        if len(uids) != 1:
            raise InputError(f"frame {number} names {len(uids)} images instead of one; export it again")
        yield int(segments[0].ReferencedSegmentNumber), uids.pop()


def _group_items(name: str, own: Dataset, shared: Dataset) -> Any:
    """The items of a functional group of a frame; those shared by all frames if it has none of its own."""
    return own.get(name) or shared.get(name) or []


# A reference to an image needs these.
_REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality")

# A segmentation must have these, but they may be empty (type 2 in the standard).
_MAY_BE_EMPTY = [
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
]

# What else is copied: whose number the patient's is, and that the image was de-identified.
_OPTIONAL = [
    "IssuerOfPatientID",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
]

# highdicom copies all that an image says of the patient, the study and the equipment, from allergies to names
# of institutions. It is given no more than this.
_READ = [
    *_REQUIRED,
    *_MAY_BE_EMPTY,
    *_OPTIONAL,
    "Rows",
    "Columns",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "PixelSpacing",
]

_MAX_LABEL_LENGTH = 64  # characters of a "long string" in the standard
_MIN_PIXELS = 8  # highdicom 0.28 packs the bits of smaller frames wrongly
_SERIES_NUMBER = 1000  # above the numbers that modalities use


def write_dicom_seg(
    path: str | Path, source: str | Path, masks: NDArray[np.bool_], classes: Sequence[str]
) -> None:
    """Write masks (class, height, width) as a segmentation that refers to `source`, atomically.

    It is binary with one frame per segment, which keeps holes, parts and overlaps. A class without a pixel
    has no segment. Segment labels are the class names; their coded meaning is only "anatomical structure",
    since class names are not codes.

    Args:
        path: the file to write.
        source: the DICOM radiograph, of the masks' size.
        masks: at least one of them has a pixel.
        classes: class names.

    Raises:
        InputError: the source lacks an element that a reference needs, has another size, or its header
            cannot be copied; a class name is too long.
    """
    source = Path(source)
    present = [index for index, mask in enumerate(masks) if mask.any()]
    if not present:
        raise ValueError("a segmentation needs a mask with a pixel")
    colours = class_colours_8bit(len(classes))
    segments = [_segment(n, classes[index], colours[index]) for n, index in enumerate(present, 1)]
    with hide_dicom_messages(source):
        header = source_header(source, masks.shape[1:])
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
            specific_character_set="ISO_IR 192",  # UTF-8, whatever the source uses
            transfer_syntax_uid=ExplicitVRLittleEndian,
        )
        segmentation.PatientOrientation = header.get("PatientOrientation")
        if header.get("PixelSpacing"):
            segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = [_pixel_measures(header)]
        with atomic(path) as private:
            segmentation.save_as(private)


def _pixel_measures(header: Dataset) -> Dataset:
    """The size of a pixel."""
    # Radiographs have no slice thickness, but highdicom reads no file without the element.
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = header.PixelSpacing, None
    return measures


def _segment(number: int, name: str, colour: tuple[int, int, int]) -> hd.seg.SegmentDescription:
    """One class as a segment, numbered from 1."""
    if len(name) > _MAX_LABEL_LENGTH:
        raise InputError(
            f"class {name!r}: DICOM labels have at most {_MAX_LABEL_LENGTH} characters; shorten the name"
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


def source_header(path: Path, size: tuple[int, ...]) -> Dataset:
    """The header of a radiograph, checked and completed so that a segmentation can refer to it."""
    header = dcmread(path, stop_before_pixels=True, force=True, specific_tags=_READ)
    if missing := [keyword for keyword in _REQUIRED if not header.get(keyword)]:
        raise InputError(
            f"{path}: has no {', '.join(missing)}, which a DICOM SEG has to refer to; "
            "export it from the archive with its identifiers"
        )
    if size[0] * size[1] < _MIN_PIXELS:
        raise InputError(
            f"{path}: is too small for a DICOM SEG, which needs {_MIN_PIXELS} pixels; use another format"
        )
    if (header.get("Rows"), header.get("Columns")) != size:
        raise InputError(f"{path}: does not have its masks' size, {size[1]} x {size[0]}; predict it again")
    for keyword in _MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, None)
    return header
