"""Likely errors in the given labels, found by networks that did not learn from them."""
