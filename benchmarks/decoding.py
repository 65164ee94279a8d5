"""Time decoding of prompts for an embedded image, against SamPredictor with one prompt at a time.

    python benchmarks/decoding.py
    python benchmarks/decoding.py --model vit_b --chunk 64 8 1 --runs 1

All classes of one image are decoded in two passes: first a box, then positive and negative points with the
first mask. Our code reads the embedding from a safetensors file (half precision, with a checked digest) and
decodes in chunks. The baseline reads a gzip'd array for each class and uses segment-anything's SamPredictor.
The array is float32 at gzip level 4, as gzip HDF5 stores it, because h5py is not a requirement here.

All models except the tiny one have random weights. Their masks have no meaning, but are compared anyway.
"""

import argparse
import gzip
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor
from segment_anything.modeling import Sam
from torch import Tensor

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from timing import CLOCKS, agreement, draw, sam_of, seconds_in_turn
from tuning import decode_prompt

from samcarry.prompting.prompts import Prompt, extract_prompts
from samcarry.runtime.processes import usable_cpus
from samcarry.sam.checkpoints import BUILDERS
from samcarry.sam.embedding import embed, open_embeddings, write_embeddings
from samcarry.sam.refinement import refine

PASSES = ("box", "pos+neg")


def write_gzip(path: Path, embedding: Tensor) -> None:
    """Write an embedding as a gzip'd float32 array."""
    with gzip.open(path, "wb", compresslevel=4) as stream:
        np.save(stream, embedding.float().numpy())


def read_gzip(path: Path) -> Tensor:
    """Read an embedding written by `write_gzip`."""
    with gzip.open(path, "rb") as stream:
        return torch.from_numpy(np.load(stream))


def in_chunks(
    sam: Sam, path: Path, prompts: Sequence[Prompt | None], size: tuple[int, int], chunk: int
) -> NDArray[np.bool_]:
    """Masks (class, height, width) from `refine`."""
    with open_embeddings(path) as embedding_of:
        return refine(sam, embedding_of("case"), prompts, size, *PASSES, chunk=chunk).masks


def one_by_one(
    sam: Sam, path: Path, prompts: Sequence[Prompt | None], size: tuple[int, int], clock: str
) -> tuple[NDArray[np.bool_], float]:
    """Masks (class, height, width) from SamPredictor, and the seconds spent on reading."""
    masks, reading = np.zeros((len(prompts), *size), dtype=bool), 0.0
    predictor = SamPredictor(sam)
    predictor.is_image_set, predictor.original_size = True, size
    predictor.input_size = predictor.transform.get_preprocess_shape(*size, sam.image_encoder.img_size)
    for index, prompt in enumerate(prompts):
        if prompt is not None:
            began = CLOCKS[clock]()
            predictor.features = read_gzip(path)[None].to(sam.device)
            reading += CLOCKS[clock]() - began
            _, logits = decode_prompt(predictor, prompt, PASSES[0])
            masks[index], _ = decode_prompt(predictor, prompt, PASSES[1], logits)
    return masks, reading


def main() -> None:
    """Time both on one image, our code with each chunk size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="tiny", choices=sorted(BUILDERS))
    parser.add_argument("--size", nargs=2, type=int, default=[384, 224], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--classes", type=int, default=17)
    parser.add_argument(
        "--chunk", nargs="+", type=int, default=[4], help="prompts per call; the workflow uses 4 on a CPU"
    )
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clock", default="wall", choices=sorted(CLOCKS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sam, size = sam_of(arguments.model), tuple(arguments.size)
    image, components = draw(*size, arguments.classes)
    prompts = extract_prompts(components)
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = Path(name) / "embeddings.safetensors", Path(name) / "embedding.npy.gz"
        # Decoding time does not depend on the values; random ones avoid a minute of ViT-H's encoder.
        shape = (sam.prompt_encoder.embed_dim, *sam.prompt_encoder.image_embedding_size)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0)).half()
        embedding = embed(sam, image) if arguments.model == "tiny" else noise
        write_embeddings(ours, ["case"], [embedding], {})
        write_gzip(theirs, embedding)
        ways = {
            f"chunks of {chunk}": lambda chunk=chunk: in_chunks(sam, ours, prompts, size, chunk)
            for chunk in arguments.chunk
        }
        seconds = seconds_in_turn(
            ways | {"one": lambda: one_by_one(sam, theirs, prompts, size, arguments.clock)},
            arguments.runs,
            arguments.clock,
        )
        masks, reading = one_by_one(sam, theirs, prompts, size, arguments.clock)
        print(
            f"{arguments.model}, {arguments.classes} classes, {' then '.join(PASSES)}, "
            f"{arguments.threads} threads, {arguments.clock} seconds, {arguments.runs} runs"
        )
        print(f"SamPredictor {seconds['one']:.3f} s; reading took {reading:.3f} s of it in an additional run")
        for name, way in ways.items():
            ratio = seconds["one"] / seconds[name]
            print(f"{name}: {seconds[name]:.3f} s, {ratio:.2f} times as fast; {agreement(way(), masks)}")


if __name__ == "__main__":
    main()
