"""The objective of tuning how SAM is asked on crops; crops are embedded once, as far as memory permits."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samcarry.data.case_images import ImageOf
from samcarry.prompting.cleaning import CleaningSettings, most_likely_components
from samcarry.prompting.prompts import extract_prompts
from samcarry.runtime.device import Precision, batch_size_for
from samcarry.sam.inputs import squeezes
from samcarry.sam.official import Sam
from samcarry.sam.zoom import (
    View,
    ZoomSettings,
    as_probabilities,
    ask_for_logits,
    embed_views,
    initial_logits,
    refine_on_crops,
    view_of,
)
from samcarry.tuning.objective import Case, Objective, gains_of_case
from samcarry.tuning.sam_objective import clean_prompts, over_cases
from samcarry.tuning.search_spaces import Settings

CACHE_BYTES = 1_500_000_000
"""Memory for embedded crops: some 7,000 of the small SAMs, or 700 of an official one."""

Crops = tuple[list[View], Tensor]
"""The crops of one case and their embeddings, float16 on the CPU."""


class CropCache:
    """Crops by case and zoom, within a memory limit; used by several threads.

    Crops of other zooms make room for those of the current one, but these never make room for each other:
    every trial takes all cases in the same order, so each crop would be gone when it is needed again.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._kept: dict[tuple[int, float | None], Crops] = {}
        self._lock = Lock()

    def get(self, case: int, zoom: float | None) -> Crops | None:
        """The crops of a case; None if they are not kept."""
        return self._kept.get((case, zoom))

    def put(self, case: int, zoom: float | None, crops: Crops) -> None:
        """Keep the crops of a case, if there is room for them."""
        with self._lock:
            while self._used + crops[1].nbytes > self._limit:
                other = next((key for key in self._kept if key[1] != zoom), None)
                if other is None:
                    return
                self._used -= self._kept.pop(other)[1].nbytes
            self._kept[case, zoom] = crops
            self._used += crops[1].nbytes


def zoom_objective(
    sam: Sam,
    cases: Sequence[Case],
    image_of: ImageOf,
    cleaning: CleaningSettings,
    weights: Sequence[float],
    *,
    rounds: int = 1,
    precision: Precision = "float32",
    threads: int = 1,
    cache_bytes: int = CACHE_BYTES,
) -> Objective:
    """The gains of SAM as a function of how it is asked, from the masks of `zoom.refine_on_crops`.

    SAM's answers of the first round do not depend on their weight `fuse`, so with one round the gains with
    all weights are computed together. Crops of further rounds are not kept.

    Args:
        sam: the model, with SAM's own protocol.
        cases: the cases.
        image_of: returns the image that crops are cut from; it is called again for crops that were not kept.
        cleaning: what the prompts are derived with.
        weights: every value of `fuse` that settings may have.
        rounds: how many times SAM is asked.
        precision: number format in which the image encoder computes.
        threads: number of cases processed at the same time.
        cache_bytes: memory for embedded crops.
    """
    prompts_of = cache(lambda index: [p for p in clean_prompts(cases[index], cleaning) if p is not None])
    at_once = batch_size_for(sam.device, cpu=8, gpu=64)
    kept = CropCache(cache_bytes)

    def crops_of(index: int, zoom: float | None) -> Crops:
        known = kept.get(index, zoom)
        if known is not None:
            return known
        image, size = image_of(cases[index].name), _size(cases[index].reference)
        how = partial(view_of, side=sam.image_encoder.img_size, squeezed=squeezes(sam))
        views = [how(prompt.box, zoom, _size(image), size) for prompt in prompts_of(index)]
        embedded = embed_views(sam, image, views[:1] if zoom is None else views, precision)
        crops = views, embedded.half().cpu()
        kept.put(index, zoom, crops)
        return crops

    def answers(index: int, asked: ZoomSettings, initial: Tensor) -> Tensor:
        views, embedded = crops_of(index, asked.zoom)
        logits = []
        for start in range(0, len(views), at_once):
            part = slice(start, start + at_once)
            of_part = (embedded if asked.zoom is None else embedded[part]).to(sam.device, torch.float32)
            given = prompts_of(index)[part]
            logits.append(ask_for_logits(sam, of_part, views[part], given, initial[part], asked)[0])
        return torch.cat(logits)

    @cache
    @torch.inference_mode()
    def gains_by_weight(index: int, asked: ZoomSettings) -> dict[float, list[float]]:
        case = cases[index]
        present = case.components.any(axis=(1, 2))
        masks = np.zeros_like(case.reference)
        if not present.any():
            return dict.fromkeys(weights, gains_of_case(case, masks))
        initial = torch.from_numpy(initial_logits(case.probabilities[present])).to(sam.device)
        logits, gains = answers(index, asked, initial), {}
        for weight in weights:
            fused = weight * logits + (1 - weight) * initial
            masks[present] = (fused > sam.mask_threshold).cpu().numpy()
            gains[weight] = gains_of_case(case, masks)
        return gains

    @cache
    @torch.inference_mode()
    def gains_after_rounds(index: int, asked: ZoomSettings) -> list[float]:
        case = cases[index]
        present = case.components.any(axis=(1, 2))
        if not present.any():
            return gains_of_case(case, np.zeros_like(case.reference))
        initial = torch.from_numpy(initial_logits(case.probabilities[present])).to(sam.device)
        fused = asked.fuse * answers(index, asked, initial) + (1 - asked.fuse) * initial
        first = np.zeros_like(case.probabilities)
        first[present] = as_probabilities(fused.cpu().numpy())
        prompts = extract_prompts(most_likely_components(first))
        later, image = replace(asked, rounds=asked.rounds - 1), image_of(case.name)
        refined = refine_on_crops(sam, image, prompts, first, later, precision=precision)
        return gains_of_case(case, refined.masks)

    def gains_with(index: int, settings: Settings) -> list[float]:
        if rounds > 1:
            return gains_after_rounds(index, ZoomSettings(**settings, rounds=rounds))
        asked = ZoomSettings(**{**settings, "fuse": 1.0})
        return gains_by_weight(index, asked)[settings["fuse"]]

    return over_cases(cases, gains_with, threads)


def _size(values: NDArray) -> tuple[int, int]:
    """(height, width) of an image or of masks."""
    return values.shape[-2], values.shape[-1]
