"""Computing, writing and reading SAM's image embeddings (paper §2.1)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from segment_anything.modeling import Sam
from torch import Tensor

from samcarry.errors import DamagedError
from samcarry.runtime.batching import in_batches, prefetch
from samcarry.runtime.device import Precision, autocast, batch_size_for
from samcarry.sam.encoder import encode_images
from samcarry.sam.inputs import fill_square, stretch, to_medsam_input, to_sam_input
from samcarry.storage.files import atomic
from samcarry.storage.model_files import digest_of


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
    with atomic(path) as private:
        save_file(tensors, private, {"samcarry": json.dumps({**made_by, "sha256": digests}, sort_keys=True)})


@contextmanager
def open_embeddings(*paths: str | Path) -> Iterator[Callable[[str], Tensor]]:
    """Yield a function that reads the embedding of one case, so that memory holds one at a time.

    Raises:
        DamagedError: a file is missing or damaged.
    """
    with ExitStack() as files:
        known: dict[str, tuple[str | Path, Any, str]] = {}
        for path in paths:
            stream, digests = _open(path)
            files.enter_context(stream)
            known |= {case: (path, stream, digest) for case, digest in digests.items()}

        def embedding_of(case: str) -> Tensor:
            path, stream, digest = known[case]
            embedding: Tensor = stream.get_tensor(case)
            if digest_of({case: embedding}) != digest:
                raise _damaged(path, "they have changed since they were written")
            return embedding

        yield embedding_of


def _open(path: str | Path) -> tuple[Any, dict[str, str]]:
    """An open file of embeddings, and the SHA-256 of the embedding of each case."""
    try:
        stream = safe_open(path, framework="pt")
        return stream, json.loads(stream.metadata()["samcarry"])["sha256"]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: str | Path, reason: object) -> DamagedError:
    return DamagedError(path, f"these embeddings are damaged ({reason})")


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
