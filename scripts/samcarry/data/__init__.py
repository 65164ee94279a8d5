"""A data set in the file contract: cases, splits, checks and the manifest."""
