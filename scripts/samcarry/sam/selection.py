"""SAM as the judge of pseudo labels: those that it agrees with are kept (paper ref. [18])."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from torch import Tensor

from samcarry.evaluation.dice import dice
from samcarry.prompting.prompts import Point, Prompt
from samcarry.sam.refinement import as_mask_prompt, decode, full_size


def select_by_sam(
    sam: Sam,
    embedding_of: Callable[[str], Tensor],
    cases: Sequence[str],
    agreement: float,
) -> Callable[[NDArray[np.int64], Tensor], Tensor]:
    """A selection for `train_mean_teacher`.

    Args:
        sam: the model.
        embedding_of: a case's embedding, (C, rows, columns).
        cases: the unlabelled cases, in the order of the training data.
        agreement: least mean Dice between the prediction and SAM's answer, 0..1.
    """

    def select(chosen: NDArray[np.int64], logits: Tensor) -> Tensor:
        kept = [
            agreement_with_sam(sam, embedding_of(cases[place]), of_case) >= agreement
            for place, of_case in zip(chosen.tolist(), logits, strict=True)
        ]
        return torch.tensor(kept, device=logits.device)

    return select


def agreement_with_sam(sam: Sam, embedding: Tensor, logits: Tensor) -> float:
    """Mean Dice over present classes of a prediction and SAM's answer to it, 0..1.

    SAM is asked with a positive point where the class is most likely, a negative one where it is least
    likely, and the logits as dense prompt.

    Args:
        sam: the model.
        embedding: of the image, (C, rows, columns).
        logits: of the prediction, (class, height, width).

    Returns:
        1 if no class is present: there is nothing to disagree on.
    """
    size = (logits.shape[1], logits.shape[2])
    present = [index for index, of_class in enumerate(logits) if (of_class > 0).any()]
    if not present:
        return 1.0
    asked = logits[present]
    prompts = [
        Prompt(
            (0.0, 0.0, float(size[1]), float(size[0])), _place(c.argmax(), size), (_place(c.argmin(), size),)
        )
        for c in asked
    ]
    answers, _ = decode(sam, embedding, prompts, "pos+neg", size, as_mask_prompt(sam, asked))
    redrawn = full_size(sam, answers, size)
    predicted = (asked > 0).cpu().numpy()
    scores = (dice(one, other) for one, other in zip(predicted, redrawn, strict=True))
    return float(np.mean([score for score in scores if score is not None]))


def _place(flat: Tensor, size: tuple[int, int]) -> Point:
    """The middle (x, y) of the pixel with an index into the flattened image."""
    row, column = divmod(int(flat), size[1])
    return column + 0.5, row + 0.5
