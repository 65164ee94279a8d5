"""Import of annotations from other programs as a data set."""
