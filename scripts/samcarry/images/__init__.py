"""Grey images and masks; the constants here need the standard library only."""

DICOM_SUFFIXES = (".dcm", ".dicom")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", *DICOM_SUFFIXES)
MOST_PIXELS = 100_000_000
"""Larger images are refused: a small file could otherwise fill the memory when it is unpacked."""
