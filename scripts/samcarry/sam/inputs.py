"""Conversion of grey images to the input of SAM and MedSAM."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from samcarry.runtime.device import upload
from samcarry.sam.crops import fitted, resized
from samcarry.sam.official import Sam


def squeezes(sam: Sam) -> bool:
    """Whether both sides of an image fill the square input (SAM 2.1, SAM 3); else the longer one does."""
    return getattr(sam.image_encoder, "squeezes", False)


def input_size(sam: Sam, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of an image in SAM's square input."""
    side = sam.image_encoder.img_size
    return (side, side) if squeezes(sam) else fitted(height, width, side)


def fill_square(sam: Sam, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey image (height, width) resized to its `input_size` by SAM's own transform."""
    return resized(image, input_size(sam, *image.shape))


def to_sam_input(sam: Sam, filled: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Images from `fill_square`, all of one size -> normalised, padded (B, 3, S, S) on SAM's device."""
    return sam.preprocess(upload(np.stack(filled), sam.device)[:, None])


def stretch(sam: Sam, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A grey image (height, width) stretched to the square (S, S), in 0..1; a constant image becomes 0."""
    from skimage.transform import resize  # here, because it takes half a second and only MedSAM needs it

    side = sam.image_encoder.img_size
    stretched = resize(image, (side, side), order=3, preserve_range=True, anti_aliasing=True)
    grey = stretched.astype(np.uint8).astype(np.float32)
    return (grey - grey.min()) / max(float(grey.max() - grey.min()), 1e-8)


def to_medsam_input(sam: Sam, stretched: Sequence[NDArray[np.float32]]) -> Tensor:
    """Images from `stretch` -> (B, 3, S, S) in 0..1 on SAM's device."""
    return upload(np.stack(stretched), sam.device)[:, None].expand(-1, 3, -1, -1)
