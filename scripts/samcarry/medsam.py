"""MedSAM's protocol: boxes only, one pass, an image that fills the whole square (paper §3.1).

MedSAM is a ViT-B SAM with other weights, and expects other input than SAM: the image is stretched to the
square whatever its proportions, and its grey values go from 0 (its darkest) to 1 (its brightest).
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from skimage.transform import resize
from torch import Tensor

from samcarry.hardware import upload
from samcarry.prompts import Prompt
from samcarry.sam import Refined, decode


def stretch(sam: Sam, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey image (height, width) -> the whole square (S, S), in 0..1; a flat image gives 0."""
    side = sam.image_encoder.img_size
    stretched = resize(image, (side, side), order=3, preserve_range=True, anti_aliasing=True)
    grey = stretched.astype(np.uint8).astype(np.float32)
    return (grey - grey.min()) / max(float(grey.max() - grey.min()), 1e-8)


def to_medsam_input(sam: Sam, stretched: Sequence[NDArray[np.float32]]) -> Tensor:
    """Images of `stretch` -> (B, 3, S, S) in 0..1 on SAM's device."""
    return upload(np.stack(stretched), sam.device)[:, None].expand(-1, 3, -1, -1)


@torch.inference_mode()
def refine_by_medsam(
    sam: Sam, embedding: Tensor, prompts: Sequence[Prompt | None], size: tuple[int, int]
) -> Refined:
    """Redraw every present class of one case from its box.

    Args:
        sam: MedSAM, or another SAM under its protocol.
        embedding: of what `to_medsam_input` gives, (C, rows, columns).
        prompts: one entry a class, None = absent.
        size: (height, width) of the prepared image and of the masks that are returned.
    """
    present = [index for index, prompt in enumerate(prompts) if prompt is not None]
    masks = np.zeros((len(prompts), *size), dtype=bool)
    quality = np.full(len(prompts), np.nan, dtype=np.float32)
    if present:
        asked = [prompt for prompt in prompts if prompt is not None]
        side = sam.image_encoder.img_size
        logits, estimate = decode(sam, embedding, asked, "box", size, taken=(side, side))
        # MedSAM enlarges probabilities, not logits.
        enlarged = F.interpolate(logits.sigmoid()[:, None], size, mode="bilinear", align_corners=False)
        masks[present] = (enlarged[:, 0] > 0.5).cpu().numpy()
        quality[present] = estimate.cpu().numpy()
    return Refined(masks, quality)
