"""DICOM Segmentation objects: reading masks and writing them."""

from collections.abc import Iterator, Mapping, Sequence
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
from samcarry.formats.run_lengths import runs_of
from samcarry.formats.shapes import Annotation, Choose, Shape, as_it_is
from samcarry.images import MOST_PIXELS
from samcarry.images.colours import colours_of
from samcarry.images.dicom import is_dicom, quiet
from samcarry.storage.files import atomic

_LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"  # not yet in pydicom's list
_MOST_VALUES = 500_000_000  # pixels of all frames

_ELEMENTS = [
    *("SOPClassUID", "SegmentationType", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PhotometricInterpretation"),
    *("SegmentSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ReferencedSeriesSequence", "PixelData"),
]


def read_dicom_seg(
    path: str | Path, choose: Choose = as_it_is, *, images: Mapping[str, str]
) -> list[Annotation]:
    """Read a segmentation object; frames of one segment and image are united.

    Args:
        path: the DICOM file.
        choose: names the class of a segment's label, None to pass over its frames.
        images: {SOP instance UID: name of the image}, see `instance_names`.

    Returns:
        An annotation for each image that it refers to. One that is not in `images` gets a name that
        tells the file and is no image's.

    Raises:
        InputError: a line for each fault: a file that is no DICOM, damaged, truncated or far too large;
            no binary segmentation; a frame that tells no segment or no image.
    """
    path = Path(path)
    with quiet(path):
        header = _read(path, _ELEMENTS)
        _judge(header, path)
        frames = header.pixel_array.reshape(-1, header.Rows, header.Columns)
        labels = {int(entry.SegmentNumber): str(entry.SegmentLabel) for entry in header.SegmentSequence}
        faults: list[str] = []
        classes = _classes(labels, choose, path, faults)
        shapes: dict[str, list[Shape]] = {uid: [] for uid in _referenced(header)}
        try:
            groups = list(zip(frames, _frame_groups(header, len(frames)), strict=True))
            for number, (frame, (segment, uid)) in enumerate(groups, start=1):
                if segment not in labels:
                    faults.append(
                        f"{path}: frame {number} is of segment {segment}, which it does not describe"
                    )
                elif (name := classes[segment]) is not None:
                    shape = Shape(f"frame {number}", name, (runs_of(frame != 0),))
                    shapes.setdefault(uid, []).append(shape)
        except InputError as error:
            faults.append(f"{path}: {error}")
        raise_faults(faults)
    size = (int(header.Rows), int(header.Columns))
    unknown = f"image of {path.stem}"
    return [Annotation(path, images.get(uid, unknown), size, tuple(found)) for uid, found in shapes.items()]


def instance_names(files: Mapping[str, Path], faults: list[str]) -> dict[str, str]:
    """{SOP instance UID: name of the image} of those among {case: file} that are DICOM."""
    names: dict[str, str] = {}
    for file in files.values():
        if not is_dicom(file):
            continue
        try:
            with quiet(file):
                uid = str(_read(file, ["SOPInstanceUID"]).SOPInstanceUID)
        except InputError as error:
            faults.append(str(error))
            continue
        if uid in names:
            faults.append(f"{file}: is the same DICOM object as {names[uid]}; remove one of the two")
        names[uid] = file.name
    return names


def _read(path: Path, elements: list[str]) -> Dataset:
    """Those elements of a DICOM file that are asked for."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; save it again or remove it")
    # Deflated, a small file can hold a header of any size.
    if read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        raise InputError(f"{path}: is a deflated DICOM file; export it uncompressed")
    return dcmread(path, specific_tags=elements)


def _judge(header: Dataset, path: Path) -> None:
    """Refuse what is no binary segmentation of a size that can be."""
    kind = header.get("SOPClassUID")
    if kind not in (SegmentationStorage, _LABEL_MAP_STORAGE):
        raise InputError(
            f"{path}: is a DICOM file, but no segmentation (SEG); name the segmentations' folder"
        )
    if header.get("SegmentationType") != "BINARY" or header.get("BitsAllocated") != 1:
        raise InputError(f"{path}: is a segmentation that is not BINARY; export it as a binary one")
    if header.file_meta.TransferSyntaxUID.is_compressed:
        raise InputError(f"{path}: is a compressed segmentation; export it uncompressed")
    pixels = int(header.Rows) * int(header.Columns)
    if not 0 < pixels <= MOST_PIXELS or pixels * int(header.get("NumberOfFrames") or 1) > _MOST_VALUES:
        raise InputError(
            f"{path}: has {header.get('NumberOfFrames')} frames of {header.Columns} x {header.Rows} pixels, "
            "more than is read; export less of it, or each image apart"
        )


def _classes(
    labels: Mapping[int, str], choose: Choose, path: Path, faults: list[str]
) -> dict[int, str | None]:
    """{segment: class here}."""
    classes: dict[int, str | None] = {}
    for number, label in labels.items():
        try:
            classes[number] = choose(label)
        except InputError as error:
            classes[number] = None
            faults.append(f"{path}: segment {number} {error}")
    return classes


def _referenced(header: Dataset) -> list[str]:
    """The images that the object as a whole names; with empty masks none of its frames need do so."""
    return [
        str(instance.ReferencedSOPInstanceUID)
        for series in header.get("ReferencedSeriesSequence") or ()
        for instance in series.get("ReferencedInstanceSequence") or ()
    ]


def _frame_groups(header: Dataset, count: int) -> Iterator[tuple[int, str]]:
    """Segment and image of each frame."""
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or ()), Dataset())
    each = header.get("PerFrameFunctionalGroupsSequence") or [Dataset()] * count
    referenced = _referenced(header)
    if len(each) != count:
        raise InputError(f"describes {len(each)} frames and holds {count}; export it again")
    for number, own in enumerate(each, start=1):
        segments = _group("SegmentIdentificationSequence", own, shared)
        if len(segments) != 1:
            raise InputError(f"frame {number} does not tell its segment; export it again")
        uids = {
            str(source.ReferencedSOPInstanceUID)
            for derivation in _group("DerivationImageSequence", own, shared)
            for source in derivation.get("SourceImageSequence") or ()
        } or set(referenced)
        if len(uids) != 1:
            raise InputError(f"frame {number} tells {len(uids)} images instead of one; export it again")
        yield int(segments[0].ReferencedSegmentNumber), uids.pop()


def _group(name: str, own: Dataset, shared: Dataset) -> Any:
    return own.get(name) or shared.get(name) or []


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
