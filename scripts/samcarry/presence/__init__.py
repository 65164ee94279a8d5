"""Whether a class is in an image at all: evidence, a fitted judgement, and masks without absent classes."""
