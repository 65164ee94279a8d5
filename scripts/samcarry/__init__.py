"""samcarry: a few labelled radiographs in, a good segmentation model out."""

__version__ = "0.1.0"
