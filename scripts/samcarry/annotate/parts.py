"""What the page needs of SAM: the weights of its decoder, and embeddings of an image and of its parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samcarry.errors import InputError
from samcarry.runtime.device import Precision
from samcarry.sam.answers import LevelsDecoder
from samcarry.sam.crops import Window, input_size, whole
from samcarry.sam.embedding import embed_images
from samcarry.sam.official import Sam

_IN_DECODER = ("prompt_encoder.", "mask_decoder.")
_NOT_USED = ("mask_decoder.presence_prediction_head.",)


@dataclass(frozen=True)
class DecoderWeights:
    """SAM's prompt encoder and mask decoder.

    Attributes:
        about: what the page has to know of the model, and the name and shape of each tensor.
        halves: all tensors one after the other, float16, little-endian.
    """

    about: dict[str, Any]
    halves: bytes


def decoder_weights(sam: Sam) -> DecoderWeights:
    """The part of a SAM that answers prompts.

    Raises:
        InputError: the page's program cannot run this kind of SAM.
    """
    if isinstance(sam.mask_decoder, LevelsDecoder):
        raise InputError(
            "the annotation page cannot draw with SAM 2.1, SAM 3 or SAM-HQ: set sam.model to one of the "
            "models tiny, small or vit_b to vit_h for it"
        )
    tensors = {
        name: tensor
        for name, tensor in sam.state_dict().items()
        if name.startswith(_IN_DECODER) and not name.startswith(_NOT_USED)
    }
    about = {
        "side": sam.image_encoder.img_size,
        "grid": sam.prompt_encoder.image_embedding_size[0],
        "dim": sam.prompt_encoder.embed_dim,
        "heads": sam.mask_decoder.transformer.num_heads,
        "masks": sam.mask_decoder.num_mask_tokens,
        "tensors": [[name, list(tensor.shape)] for name, tensor in tensors.items()],
    }
    return DecoderWeights(about, as_halves(torch.cat([tensor.flatten() for tensor in tensors.values()])))


def as_halves(tensor: Tensor) -> bytes:
    """The numbers of a tensor as float16, little-endian."""
    return np.ascontiguousarray(tensor.half().cpu().numpy()).astype("<f2").tobytes()


@dataclass(frozen=True)
class Part:
    """A part of an image as SAM sees it.

    Attributes:
        window: where it is, in pixels of the image.
        rows: rows that it takes in SAM's square input.
        columns: its columns there.
        embedding: float16 (C, grid, grid).
    """

    window: Window
    rows: int
    columns: int
    embedding: Tensor


def windows_of(size: tuple[int, int], side: int, *, enlarged: bool) -> list[Window]:
    """The parts of an image (height, width) that SAM is shown.

    The whole image is the first. If `enlarged`, nine overlapping parts of half its height and width follow,
    unless SAM's input of `side` pixels shows the whole image in full already.
    """
    windows = [whole(size)]
    height, width = size
    if enlarged and max(size) > side:
        tall, wide = -(-height // 2), -(-width // 2)
        for top in (0, (height - tall) // 2, height - tall):
            for left in (0, (width - wide) // 2, width - wide):
                windows.append(Window(left, top, left + wide, top + tall))
    return windows


def embed_parts(
    sam: Sam, image: NDArray[np.uint8], precision: Precision, *, enlarged: bool
) -> Iterator[Part]:
    """The embedded parts of a grey image (height, width), which are those of `windows_of`."""
    side = sam.image_encoder.img_size
    windows = windows_of((image.shape[0], image.shape[1]), side, enlarged=enlarged)
    for window in windows:
        cut = np.ascontiguousarray(image[window.view])
        [embedding] = embed_images("sam", sam, [cut], precision)
        yield Part(window, *input_size(window, side), embedding)
