"""Builders of DICOM Segmentation objects for tests."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pack_bits
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

SIZE = (3, 5)  # rows, columns: a frame of 15 pixels does not fill whole bytes


def item(**elements):
    dataset = Dataset()
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


def group(segment, uid):
    """The functional groups of a frame: its segment and its source image."""
    own = item(SegmentIdentificationSequence=[item(ReferencedSegmentNumber=segment)])
    if uid is not None:
        source = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.7", ReferencedSOPInstanceUID=uid)
        own.DerivationImageSequence = [item(SourceImageSequence=[source])]
    return own


def write(path, *frames, labels=("radius", "ulna"), references=("1.2.3",), **elements):
    """Write a segmentation with one frame per (mask, segment, UID of the image); return its path."""
    dataset = item(SOPClassUID=SegmentationStorage, SOPInstanceUID="1.2.9", PatientName="Secret^Name")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.9"
    dataset.SegmentationType, dataset.NumberOfFrames = "BINARY", len(frames)
    dataset.Rows, dataset.Columns = SIZE
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "MONOCHROME2", 1
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.SegmentSequence = [item(SegmentNumber=n, SegmentLabel=label) for n, label in enumerate(labels, 1)]
    dataset.ReferencedSeriesSequence = [
        item(
            SeriesInstanceUID="1.2",
            ReferencedInstanceSequence=[item(ReferencedSOPInstanceUID=uid) for uid in references],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [group(segment, uid) for _, segment, uid in frames]
    dataset.PixelData = pack_bits(np.stack([mask for mask, _, _ in frames]).astype(np.uint8))
    dataset["PixelData"].VR = "OB"
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path
