"""File formats of annotations and masks, one module per format, for reading and writing."""

FORMATS = ("png", "labelmap", "nifti", "coco", "cvat", "yolo", "segnrrd", "nnunet", "dicomseg", "overlay")
