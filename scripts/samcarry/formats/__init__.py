"""File formats of annotations and masks: one module a format, which reads and writes it."""

# Those that cli.py offers: a test compares the two.
FORMATS = ("png", "labelmap", "nifti", "coco", "cvat", "dicomseg", "overlay")
