"""A builder of DICOM images for tests."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

RADIOGRAPH = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1",
    "SOPInstanceUID": "1.2.3.4",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.5",
    "Modality": "CR",
}
"""What a segmentation or a report has to refer to."""

VALUES = np.array([[0, 1000, 2000], [3000, 4000, 4095]], np.uint16)


def write(path, values=VALUES, bits=12, syntax=ExplicitVRLittleEndian, **elements):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.Rows, dataset.Columns = values.shape[-2:]
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "MONOCHROME2", 1
    dataset.BitsAllocated, dataset.PixelRepresentation = 8 * values.dtype.itemsize, 0
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PatientName = "Secret^Name"
    dataset.PixelData = values.tobytes()
    dataset["PixelData"].VR = "OW" if values.dtype.itemsize == 2 else "OB"
    for name, value in elements.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path
