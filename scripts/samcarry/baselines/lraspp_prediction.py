"""Probability maps of SAM ViT + LR-ASPP from stored embeddings."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samcarry.baselines.lraspp import SamLraspp, resample_to_image
from samcarry.networks.prediction import in_8_bits


@torch.inference_mode()
def predict_from_embeddings(
    network: SamLraspp,
    embedding_of: Callable[[str], Tensor],
    cases: Sequence[str],
    size: tuple[int, int],
    batch_size: int = 8,
) -> NDArray[np.uint8]:
    """Probabilities times 255 (N, class, height, width) of cases with stored embeddings.

    Args:
        network: residual blocks and head, in evaluation mode.
        embedding_of: reads the embedding of a case (see `embedding.open_embeddings`).
        cases: N cases.
        size: (height, width) of the prepared images.
        batch_size: cases in memory at a time.
    """
    device = next(network.parameters()).device
    probabilities = []
    for start in range(0, len(cases), batch_size):
        embedding = torch.stack([embedding_of(case) for case in cases[start : start + batch_size]])
        logits = network(embedding.to(device, torch.float32))
        probabilities.append(in_8_bits(resample_to_image(logits, network, size)))
    return np.concatenate(probabilities)
