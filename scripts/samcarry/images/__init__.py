"""Grey images and masks; the constants here need only the standard library."""

DICOM_SUFFIXES = (".dcm", ".dicom")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", *DICOM_SUFFIXES)
MOST_PIXELS = 100_000_000
"""Larger images are rejected, because a small file could fill the memory when it is decompressed."""
