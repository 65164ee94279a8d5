"""Shapes that annotations consist of: types, drawing them as masks, and run-length encodings."""
