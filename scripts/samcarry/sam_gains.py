"""The gain of SAM and MedSAM as a function of their settings, with nothing computed twice."""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from torch import Tensor

from samcarry.cleaning import CleaningSettings, reshape_each
from samcarry.gains import Case, Gain, mean_gain
from samcarry.prompts import Prompt, extract_prompts
from samcarry.protocols import MEDSAM_PASSES, refine_case
from samcarry.sam import decode, full_size
from samcarry.search_spaces import Settings, cleaning_of

KEPT_BYTES = 400_000_000
"""For first passes: about ten settings of the paper's wrists with the big SAM, all of the demo's."""


def gain_of_sam(
    sam: Sam, cases: Sequence[Case], embeddings: Sequence[Tensor], kept_bytes: int = KEPT_BYTES
) -> Gain:
    """The gain of SAM as a function of prompts and cleaning; equal to `sam.refine`'s masks.

    The first pass does not depend on the second's prompts: the latest ones are kept, and a trial that
    differs in the second pass alone, or has none, asks no more than that.

    Args:
        sam: the model.
        cases: the cases.
        embeddings: of each case in the same order, (C, rows, columns).
        kept_bytes: memory for the answers of first passes.
    """
    prompts_of = cache(lambda cleaning: [clean_prompts(case, cleaning) for case in cases])
    height, width = sam.prompt_encoder.mask_input_size
    found = sum(int(case.components.any(axis=(1, 2)).sum()) for case in cases)
    kept = max(1, kept_bytes // max(1, found * height * width * 4))

    def ask(index: int, cleaning: CleaningSettings, kind: str, logits: Tensor | None) -> Tensor | None:
        asked = [prompt for prompt in prompts_of(cleaning)[index] if prompt is not None]
        size = cases[index].reference.shape[1:]
        return decode(sam, embeddings[index], asked, kind, size, logits)[0] if asked else None

    @lru_cache(maxsize=kept)
    def first_pass(cleaning: CleaningSettings, kind: str) -> list[Tensor | None]:
        return [ask(index, cleaning, kind, None) for index in range(len(cases))]

    def redrawn(index: int, cleaning: CleaningSettings, settings: Settings) -> NDArray[np.bool_]:
        case = cases[index]
        masks = np.zeros_like(case.reference)
        logits = first_pass(cleaning, settings["first"])[index]
        if logits is not None:
            if settings["second"] is not None:
                logits = ask(index, cleaning, settings["second"], logits)
            present = [prompt is not None for prompt in prompts_of(cleaning)[index]]
            masks[present] = full_size(sam, logits, case.reference.shape[1:])
        return masks

    def gain(settings: Settings) -> float:
        cleaning = cleaning_of(settings)
        return mean_gain(cases, (redrawn(index, cleaning, settings) for index in range(len(cases))))

    return gain


def gain_of_medsam(sam: Sam, cases: Sequence[Case], embeddings: Sequence[Tensor]) -> Gain:
    """The gain of MedSAM as a function of the cleaning; arguments as of `gain_of_sam`."""

    def redrawn(case: Case, embedding: Tensor, cleaning: CleaningSettings) -> NDArray[np.bool_]:
        size = case.reference.shape[1:]
        prompts = clean_prompts(case, cleaning)
        return refine_case("medsam", sam, embedding, prompts, size, MEDSAM_PASSES).masks

    def gain(settings: Settings) -> float:
        cleaning = cleaning_of(settings)
        pairs = zip(cases, embeddings, strict=True)
        return mean_gain(cases, (redrawn(case, embedding, cleaning) for case, embedding in pairs))

    return gain


def clean_prompts(case: Case, cleaning: CleaningSettings) -> list[Prompt | None]:
    """Prompts of each class of a case, as those of `cleaning.clean`'s masks."""
    return extract_prompts(reshape_each(case.components, cleaning))
