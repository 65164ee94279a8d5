"""SAM 2.1, SAM 3 and SAM-HQ, and the reading of model folders as Hugging Face publishes them.

Image encoders of SAM 2.1 and SAM 3 are those of the package transformers; all other parts are
segment-anything's, with a few additions. Nothing here needs a network, and only models that need transformers
import it, because that takes seconds.
"""
