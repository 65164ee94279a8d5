"""A page on which masks are drawn and corrected with SAM, offline and without an installation."""
