"""Annotations of other programs, imported into the file contract."""
