"""Computing, writing and reading SAM's image embeddings (paper §2.1)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from samcarry.runtime.batching import in_batches, prefetch
from samcarry.runtime.device import Precision, autocast, batch_size_for
from samcarry.sam.encoder import encode_images
from samcarry.sam.inputs import fill_square, stretch, to_medsam_input, to_sam_input
from samcarry.sam.official import Sam
from samcarry.storage.files import atomic
from samcarry.storage.model_files import digest_of
from samcarry.storage.reading import reading_made
from samcarry.storage.tensors import read_tensor_header

_FAULT = "these embeddings are damaged"


@torch.inference_mode()
def embed(sam: Sam, image: NDArray[np.uint8]) -> Tensor:
    """The embedding (C, rows, columns) of a grey image (height, width), float16 on the CPU."""
    return encode_images(sam.image_encoder, to_sam_input(sam, [fill_square(sam, image)]))[0].half().cpu()


def write_embeddings(
    path: str | Path, cases: Sequence[str], embeddings: Sequence[Tensor], made_by: Mapping[str, Any]
) -> None:
    """Write a shard's embeddings (float16, one tensor per case) as safetensors, atomically."""
    tensors = dict(zip(cases, (e.contiguous() for e in embeddings), strict=True))
    digests = {case: digest_of({case: tensor}) for case, tensor in tensors.items()}
    content = save(tensors, {"samcarry": json.dumps({**made_by, "sha256": digests}, sort_keys=True)})
    with atomic(path) as private:
        private.write_bytes(content)


@contextmanager
def open_embeddings(*paths: str | Path) -> Iterator[Callable[[str], Tensor]]:
    """Yield a function that reads the embedding of one case, so that memory holds one at a time.

    Raises:
        DamagedError: a file is missing or damaged.
        InputError: the operating system cannot read a file.
    """
    known: dict[str, tuple[str | Path, _Place]] = {}
    for path in paths:
        with reading_made(path, _FAULT, (KeyError, TypeError, ValueError)):
            known |= {case: (path, place) for case, place in _places_in(path).items()}

    def embedding_of(case: str) -> Tensor:
        path, place = known[case]
        with reading_made(path, _FAULT, (ValueError, RuntimeError)):
            # Opened for each case: with many shards, open files would reach the limit of the system.
            with Path(path).open("rb") as stream:
                stream.seek(place.first)
                content = bytearray(stream.read(place.last - place.first))
            embedding = torch.frombuffer(content, dtype=torch.float16).reshape(place.shape)
            if digest_of({case: embedding}) != place.digest:
                raise ValueError("they have changed since they were written")
            return embedding

    yield embedding_of


@dataclass(frozen=True)
class _Place:
    """Where an embedding is in its file, and its SHA-256."""

    first: int
    last: int
    shape: tuple[int, ...]
    digest: str


def _places_in(path: str | Path) -> dict[str, _Place]:
    """Where the embedding of each case is."""
    with Path(path).open("rb") as stream:
        header = read_tensor_header(stream)
    digests = json.loads(header.metadata["samcarry"])["sha256"]
    return {case: _Place(*header.places[case][2:], header.places[case][1], digests[case]) for case in digests}


# For each protocol: how the CPU prepares one image, and how a batch of them becomes input on SAM's device.
_INPUT_STEPS: dict[str, tuple[Callable[..., NDArray[Any]], Callable[..., Tensor]]] = {
    "sam": (fill_square, to_sam_input),
    "medsam": (stretch, to_medsam_input),
}


def embed_images(
    protocol: str,
    sam: Sam,
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    precision: Precision = "float32",
    at_once: int | None = None,
) -> Iterator[Tensor]:
    """Embeddings (C, rows, columns) of grey images (height, width), float16 on the CPU.

    Args:
        protocol: 'sam' or 'medsam', which expect the image in different forms.
        sam: the model.
        images: N images of one size, or an array of them.
        precision: number format in which the image encoder computes.
        at_once: images in the first batches (see `batching.in_batches`); None = suitable for the device.
    """
    prepare, to_input = _INPUT_STEPS[protocol]
    at_once = at_once or batch_size_for(sam.device, cpu=1, gpu=16)
    in_precision = autocast(precision, sam.device)

    @torch.inference_mode()
    def embed_batch(batch: Sequence[NDArray[Any]]) -> Tensor:
        inputs = to_input(sam, batch)
        with in_precision:
            return encode_images(sam.image_encoder, inputs).half().cpu()

    prepared = prefetch(partial(prepare, sam), images, 2 * at_once)
    return in_batches(embed_batch, prepared, at_once)
