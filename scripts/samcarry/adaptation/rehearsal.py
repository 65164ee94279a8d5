"""How well a SAM refines P of labelled cases: by this, tuned weights are chosen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samcarry.adaptation.labelled_images import LabelledImage
from samcarry.evaluation.dice import dice
from samcarry.images.masks import resize_mask
from samcarry.prompting.cleaning import CleaningSettings, clean
from samcarry.prompting.prompts import Prompt, extract_prompts
from samcarry.runtime.device import Precision
from samcarry.sam.official import Sam
from samcarry.sam.small.rough_prompts import rough_mask, soft_logits
from samcarry.sam.zoom import ZoomSettings, as_probabilities, refine_on_crops
from samcarry.storage.probabilities import foreground
from samcarry.storage.stacks import pairs_of

HELD_OUT = 5
"""One case of so many is held out from tuning if there are no validation cases."""

MOST_CASES = 16
"""Cases that are asked about, spread over all of them; more cost time and change the choice little."""


@dataclass(frozen=True)
class RehearsalCase:
    """A labelled case that SAM is not tuned on.

    Attributes:
        image: grey values (height, width) that crops are cut from.
        probabilities: P times 255, (class, h, w) at network size.
        prompts: what SAM is asked, one entry per class; None = absent in P.
        reference: the labels at network size, bool (class, h, w).
    """

    image: NDArray[np.uint8]
    probabilities: NDArray[np.uint8]
    prompts: list[Prompt | None]
    reference: NDArray[np.bool_]


def read_rehearsal(
    probabilities: Sequence[str],
    masks: Sequence[str],
    image_of: Callable[[str], NDArray[np.uint8]],
    cleaning: CleaningSettings,
) -> list[RehearsalCase]:
    """Validation cases with P and the prompts that the workflow derives from it, at most `MOST_CASES`.

    Args:
        probabilities: stacks of f_θ's probability maps.
        masks: stacks of reference masks, in the same order.
        image_of: returns the image of a case that crops are cut from.
        cleaning: the cleaning before prompts are derived.
    """
    known = {}
    for initial, references in pairs_of(probabilities, masks):
        for case, p, reference in zip(references.cases, initial.values, references.masks, strict=True):
            if reference.any():
                known[case] = (p.copy(), reference.copy())
    return [_case(image_of(case), *known[case], cleaning) for case in _spread(list(known))]


def imagined_case(
    rng: np.random.Generator, labelled: LabelledImage, size: tuple[int, int], cleaning: CleaningSettings
) -> RehearsalCase:
    """A labelled image (without a network's P) with a made-up P that has the errors of a network.

    Each object is found, even a small one.

    Args:
        rng: random numbers of the errors.
        labelled: the image.
        size: network size (h, w).
        cleaning: the cleaning before prompts are derived.
    """
    reference = _resized_masks(labelled, size)
    probabilities = np.zeros(reference.shape, np.uint8)
    for index, mask in enumerate(reference):
        if mask.any():
            rough = rough_mask(rng, mask, np.delete(reference, index, axis=0))
            soft = as_probabilities(soft_logits(rng, rough))
            probabilities[index] = soft if foreground(soft).any() else 255 * rough
    return _case(labelled.image, probabilities, reference, cleaning)


def hold_out(
    images: dict[str, LabelledImage], seed: int, size: tuple[int, int], cleaning: CleaningSettings
) -> list[RehearsalCase]:
    """Take every fifth of three or more images with objects out of `images`, for want of validation cases.

    Args:
        images: labelled images by case; those held out are removed.
        seed: of the made-up P of the held-out cases.
        size: network size (h, w).
        cleaning: the cleaning before prompts are derived.
    """
    shown = [case for case, labelled in images.items() if _resized_masks(labelled, size).any()]
    held_out = shown[::HELD_OUT] if len(shown) > 2 else []
    rng = np.random.default_rng(seed)
    return [imagined_case(rng, images.pop(case), size, cleaning) for case in held_out]


def _resized_masks(labelled: LabelledImage, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The masks of the present classes at network size, (K, h, w)."""
    masks = [resize_mask(mask, *size) for mask in labelled.masks]
    return np.array(masks, dtype=bool).reshape(len(masks), *size)


def _case(
    image: NDArray[np.uint8],
    probabilities: NDArray[np.uint8],
    reference: NDArray[np.bool_],
    cleaning: CleaningSettings,
) -> RehearsalCase:
    prompts = extract_prompts(clean(probabilities, cleaning))
    return RehearsalCase(image, probabilities, prompts, reference)


def _spread(cases: Sequence[str]) -> list[str]:
    """At most `MOST_CASES` of the cases, evenly spread over their order."""
    places = np.linspace(0, len(cases) - 1, min(MOST_CASES, len(cases))).round().astype(int)
    return [cases[place] for place in places]


def mean_dice(
    sam: Sam, cases: Sequence[RehearsalCase], settings: ZoomSettings, precision: Precision
) -> float:
    """Mean Dice of SAM's masks over the present classes of all cases, 0..1."""
    values = []
    for case in cases:
        refined = refine_on_crops(
            sam, case.image, case.prompts, case.probabilities, settings, precision=precision
        )
        scores = (dice(*pair) for pair in zip(case.reference, refined.masks, strict=True))
        values += [score or 0.0 for score, mask in zip(scores, case.reference, strict=True) if mask.any()]
    return float(np.mean(values))
