"""Selection of pseudo labels by their agreement with SAM (paper ref. [18])."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samcarry.evaluation.dice import dice
from samcarry.prompting.prompts import Point, Prompt
from samcarry.sam.official import Sam
from samcarry.sam.refinement import as_mask_prompt, decode_prompts, full_size


def select_by_sam(
    sam: Sam,
    embedding_of: Callable[[str], Tensor],
    cases: Sequence[str],
    agreement: float,
) -> Callable[[NDArray[np.int64], Tensor], Tensor]:
    """A selection function for `train_mean_teacher`.

    Args:
        sam: the model.
        embedding_of: returns the embedding of a case, (C, rows, columns).
        cases: the unlabelled cases, in the order of the training data.
        agreement: least mean Dice between a prediction and SAM's masks, 0..1.
    """

    def select(indices: NDArray[np.int64], logits: Tensor) -> Tensor:
        kept = [
            agreement_with_sam(sam, embedding_of(cases[index]), of_case) >= agreement
            for index, of_case in zip(indices.tolist(), logits, strict=True)
        ]
        return torch.tensor(kept, device=logits.device)

    return select


def agreement_with_sam(sam: Sam, embedding: Tensor, logits: Tensor) -> float:
    """Mean Dice over present classes between a prediction and SAM's masks for it, 0..1.

    SAM's prompts are a positive point where the class is most likely, a negative point where it is least
    likely, and the logits as dense prompt.

    Args:
        sam: the model.
        embedding: image embedding, (C, rows, columns).
        logits: logits of the prediction, (class, height, width).

    Returns:
        The mean Dice, or 1 if no class is present.
    """
    size = (logits.shape[1], logits.shape[2])
    present = [index for index, of_class in enumerate(logits) if (of_class > 0).any()]
    if not present:
        return 1.0
    of_present = logits[present]
    whole_image = (0.0, 0.0, float(size[1]), float(size[0]))
    prompts = [
        Prompt(whole_image, _pixel_centre(c.argmax(), size), (_pixel_centre(c.argmin(), size),))
        for c in of_present
    ]
    dense = as_mask_prompt(sam, of_present)
    sam_logits, _ = decode_prompts(sam, embedding, prompts, "pos+neg", size, dense)
    redrawn = full_size(sam, sam_logits, size)
    predicted = (of_present > 0).cpu().numpy()
    scores = (dice(one, other) for one, other in zip(predicted, redrawn, strict=True))
    return float(np.mean([score for score in scores if score is not None]))


def _pixel_centre(index: Tensor, size: tuple[int, int]) -> Point:
    """The centre (x, y) of the pixel with an index into the flattened image."""
    row, column = divmod(int(index), size[1])
    return column + 0.5, row + 0.5
