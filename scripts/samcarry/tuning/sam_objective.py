"""The objective of tuning SAM and MedSAM; results are cached, so that nothing is computed twice."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor

from samcarry.prompting.cleaning import CleaningSettings, apply_morphology_to_each
from samcarry.prompting.prompts import Prompt, extract_prompts
from samcarry.sam.official import Sam
from samcarry.sam.refinement import MEDSAM_PASSES, decode_prompts, full_size, prompt_parts, refine_case
from samcarry.tuning.objective import Case, Objective, gains_of_case
from samcarry.tuning.search_spaces import Settings, cleaning_of

Prompts = Sequence[Prompt | None]
CACHE_BYTES = 400_000_000
"""Memory for cached first passes: about ten per case of the paper's wrists with ViT-H, all of the demo's."""


@dataclass(frozen=True)
class Query:
    """The prompts that SAM gets for one case; equal for all settings that lead to the same prompts.

    Many settings do: the box does not depend on the shape of a structuring element, for example, and a small
    dilation moves few centres.
    """

    kind: str
    prompts: tuple[Prompt, ...]  # of the present classes; parts that `kind` does not use are 0


def sam_objective(
    sam: Sam,
    cases: Sequence[Case],
    embeddings: Sequence[Tensor],
    *,
    threads: int = 1,
    cache_bytes: int = CACHE_BYTES,
) -> Objective:
    """The gains of SAM as a function of prompts and cleaning, from the masks of `refinement.refine`.

    The first pass does not depend on the prompts of the second pass. The latest first passes are cached, so
    that a trial that differs only in its second pass decodes only that.

    Args:
        sam: the model.
        cases: the cases.
        embeddings: embedding (C, rows, columns) of each case, in the same order.
        threads: number of cases processed at the same time.
        cache_bytes: memory for the results of first passes.
    """
    height, width = sam.prompt_encoder.mask_input_size
    masks_per_pass = sum(int(case.components.any(axis=(1, 2)).sum()) for case in cases)
    cached_passes = max(1, len(cases) * cache_bytes // max(1, masks_per_pass * height * width * 4))

    def run_sam(index: int, query: Query, logits: Tensor | None) -> Tensor:
        size = cases[index].reference.shape[1:]
        return decode_prompts(sam, embeddings[index], query.prompts, query.kind, size, logits)[0]

    @lru_cache(maxsize=cached_passes)
    def first_pass(index: int, query: Query) -> Tensor:
        return run_sam(index, query, None)

    @cache
    def gains(index: int, first: Query, second: Query | None) -> list[float]:
        case = cases[index]
        masks = np.zeros_like(case.reference)
        if first.prompts:
            logits = first_pass(index, first)
            if second is not None:
                logits = run_sam(index, second, logits)
            masks[case.components.any(axis=(1, 2))] = full_size(sam, logits, case.reference.shape[1:])
        return gains_of_case(case, masks)

    prompts_of = _prompts_of(cases)

    def gains_with(index: int, settings: Settings) -> list[float]:
        prompts, second = prompts_of(index, settings), settings["second"]
        query = _query(prompts, settings["first"])
        return gains(index, query, None if second is None else _query(prompts, second))

    return over_cases(cases, gains_with, threads)


def medsam_objective(
    sam: Sam, cases: Sequence[Case], embeddings: Sequence[Tensor], *, threads: int = 1
) -> Objective:
    """The gains of MedSAM as a function of the cleaning; arguments as for `sam_objective`."""

    @cache
    def gains(index: int, boxes: Query) -> list[float]:
        case = cases[index]
        prompts_of_present = iter(boxes.prompts)
        prompts = [next(prompts_of_present) if component.any() else None for component in case.components]
        size = case.reference.shape[1:]
        refined = refine_case("medsam", sam, embeddings[index], prompts, size, MEDSAM_PASSES)
        return gains_of_case(case, refined.masks)

    prompts_of = _prompts_of(cases)

    def gains_with(index: int, settings: Settings) -> list[float]:
        return gains(index, _query(prompts_of(index, settings), MEDSAM_PASSES.first))

    return over_cases(cases, gains_with, threads)


def clean_prompts(case: Case, cleaning: CleaningSettings) -> list[Prompt | None]:
    """Prompts for each class of a case, equal to those from the masks of `cleaning.clean`."""
    return extract_prompts(apply_morphology_to_each(case.components, cleaning))


def _prompts_of(cases: Sequence[Case]) -> Callable[[int, Settings], Prompts]:
    """A function of a case's index and settings: the prompts from the cleaned masks."""
    prompts_of = cache(lambda index, cleaning: clean_prompts(cases[index], cleaning))
    return lambda index, settings: prompts_of(index, cleaning_of(settings))


def over_cases(
    cases: Sequence[Case], gains_with: Callable[[int, Settings], list[float]], threads: int
) -> Objective:
    """`gains_with(index, settings)` of all cases in their order, `threads` of them at the same time.

    A caller that has seen enough closes the generator, and the other cases are not computed.
    """
    at_once = min(threads, len(cases))
    # The layers of a small SAM are too short to use several threads, so each thread takes whole cases.
    pool = ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(threads // at_once,))
    ahead = 2 * at_once - 1  # so that no thread waits while another one is at a slow case

    def objective(settings: Settings) -> Generator[list[float], None, None]:
        given = deque[Future[list[float]]]()
        try:
            for index in range(len(cases)):
                given.append(pool.submit(gains_with, index, settings))
                if len(given) == ahead:
                    yield given.popleft().result()
            while given:
                yield given.popleft().result()
        finally:
            for future in given:
                future.cancel()

    return objective


def _query(prompts: Prompts, kind: str) -> Query:
    parts = prompt_parts(kind)
    return Query(
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
