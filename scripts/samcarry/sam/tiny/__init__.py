"""The tiny SAM that is included in resources/, and its training on drawn scenes."""
