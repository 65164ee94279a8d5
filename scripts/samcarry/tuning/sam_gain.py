"""The gain of SAM and MedSAM as a function of their settings, with nothing computed twice."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain

import numpy as np
import torch
from segment_anything.modeling import Sam
from torch import Tensor

from samcarry.prompting.cleaning import CleaningSettings, reshape_each
from samcarry.prompting.prompts import Prompt, extract_prompts
from samcarry.sam.refinement import MEDSAM_PASSES, decode, full_size, prompt_parts, refine_case
from samcarry.tuning.gain import Case, Gain, gains_of_case
from samcarry.tuning.search_spaces import Settings, cleaning_of

Prompts = Sequence[Prompt | None]
KEPT_BYTES = 400_000_000
"""For first passes: about ten of all cases of the paper's wrists with the big SAM, all of the demo's."""


@dataclass(frozen=True)
class Question:
    """What SAM is asked about one case: equal for settings that come to the same prompts.

    A box knows nothing of the shape of a structuring element, and a small dilation moves few centres.
    """

    kind: str
    prompts: tuple[Prompt, ...]  # of the classes that are present; parts that `kind` does not ask with are 0


def gain_of_sam(
    sam: Sam,
    cases: Sequence[Case],
    embeddings: Sequence[Tensor],
    *,
    threads: int = 1,
    kept_bytes: int = KEPT_BYTES,
) -> Gain:
    """The gain of SAM as a function of prompts and cleaning; equal to `sam.refine`'s masks.

    No question is answered twice. The first pass does not depend on the second's prompts: the latest
    ones are kept, and a trial that differs in the second pass alone, or has none, asks no more than that.

    Args:
        sam: the model.
        cases: the cases.
        embeddings: of each case in the same order, (C, rows, columns).
        threads: as many cases are asked about at a time.
        kept_bytes: memory for the answers of first passes.
    """
    height, width = sam.prompt_encoder.mask_input_size
    found = sum(int(case.components.any(axis=(1, 2)).sum()) for case in cases)
    kept = max(1, len(cases) * kept_bytes // max(1, found * height * width * 4))

    def ask(index: int, question: Question, logits: Tensor | None) -> Tensor:
        size = cases[index].reference.shape[1:]
        return decode(sam, embeddings[index], question.prompts, question.kind, size, logits)[0]

    @lru_cache(maxsize=kept)
    def first_pass(index: int, question: Question) -> Tensor:
        return ask(index, question, None)

    @cache
    def gains(index: int, first: Question, second: Question | None) -> list[float]:
        case = cases[index]
        masks = np.zeros_like(case.reference)
        if first.prompts:
            logits = first_pass(index, first)
            if second is not None:
                logits = ask(index, second, logits)
            masks[case.components.any(axis=(1, 2))] = full_size(sam, logits, case.reference.shape[1:])
        return gains_of_case(case, masks)

    def answer(index: int, prompts: Prompts, settings: Settings) -> list[float]:
        second = settings["second"]
        question = _question(prompts, settings["first"])
        return gains(index, question, None if second is None else _question(prompts, second))

    return _mean_over(cases, answer, threads)


def gain_of_medsam(
    sam: Sam, cases: Sequence[Case], embeddings: Sequence[Tensor], *, threads: int = 1
) -> Gain:
    """The gain of MedSAM as a function of the cleaning; arguments as of `gain_of_sam`."""

    @cache
    def gains(index: int, boxes: Question) -> list[float]:
        case = cases[index]
        asked = iter(boxes.prompts)
        prompts = [next(asked) if component.any() else None for component in case.components]
        size = case.reference.shape[1:]
        refined = refine_case("medsam", sam, embeddings[index], prompts, size, MEDSAM_PASSES)
        return gains_of_case(case, refined.masks)

    def answer(index: int, prompts: Prompts, settings: Settings) -> list[float]:
        return gains(index, _question(prompts, MEDSAM_PASSES.first))

    return _mean_over(cases, answer, threads)


def clean_prompts(case: Case, cleaning: CleaningSettings) -> list[Prompt | None]:
    """Prompts of each class of a case, as those of `cleaning.clean`'s masks."""
    return extract_prompts(reshape_each(case.components, cleaning))


def _mean_over(
    cases: Sequence[Case], answer: Callable[[int, Prompts, Settings], list[float]], threads: int
) -> Gain:
    """The mean of what `answer` says of each case, for the prompts of its cleaned masks."""
    at_once = min(threads, len(cases))
    # A small SAM's layers are too short to be shared by threads; whole cases are not.
    pool = ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(threads // at_once,))
    prompts_of = cache(lambda cleaning: [clean_prompts(case, cleaning) for case in cases])

    def gain(settings: Settings) -> float:
        prompts = prompts_of(cleaning_of(settings))
        found = pool.map(lambda index: answer(index, prompts[index], settings), range(len(cases)))
        return float(np.mean(list(chain.from_iterable(found))))

    return gain


def _question(prompts: Prompts, kind: str) -> Question:
    parts = prompt_parts(kind)
    return Question(
        kind,
        tuple(
            Prompt(
                box=prompt.box if "box" in parts else (0.0, 0.0, 0.0, 0.0),
                positive=prompt.positive if "pos" in parts else (0.0, 0.0),
                negative=prompt.negative if "neg" in parts else (),
            )
            for prompt in prompts
            if prompt is not None
        ),
    )
