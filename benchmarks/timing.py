"""What the benchmarks share: draw an image, time two ways in turn, compare masks, build a SAM."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

# Here alone, before anything puts scripts/ first on the path: there is a random_walk.py too.
from random_walk import draw
from segment_anything.modeling import Sam

from samcarry.evaluation.dice import dice
from samcarry.sam.checkpoints import BUILDERS, load_sam

__all__ = ["CLOCKS", "DEVICE", "agreement", "draw", "sam_of", "seconds_in_turn"]

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""Seconds on the wall, or of the CPU in this process, which other users of the machine disturb less."""

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

TINY = Path(__file__).parents[1] / "resources/tiny_sam.safetensors"


def seconds_in_turn(
    ways: Mapping[str, Callable[[], object]], runs: int, clock: str = "wall"
) -> dict[str, float]:
    """Median seconds of each way; they take turns, so that a busy machine slows all of them alike."""
    now = CLOCKS[clock]
    if torch.cuda.is_available():  # the first time, kernels are loaded and chosen
        for way in ways.values():
            way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            began = now()
            way()
            if torch.cuda.is_available():  # where kernels may still be running
                torch.cuda.synchronize()
            seconds[name].append(now() - began)
    return {name: float(np.median(durations)) for name, durations in seconds.items()}


def agreement(masks: NDArray[np.bool_], others: NDArray[np.bool_]) -> str:
    """How far two sets of masks (..., height, width) are the same, in words."""
    pairs = zip(masks.reshape(-1, *masks.shape[-2:]), others.reshape(-1, *others.shape[-2:]), strict=True)
    scores = [dice(one, other) if one.any() or other.any() else 1.0 for one, other in pairs]
    different = int((masks != others).sum())
    return (
        f"{different} of {masks.size} pixels differ, "
        f"Dice of {len(scores)} masks {np.mean(scores):.5f}, the lowest {min(scores):.5f}"
    )


def sam_of(model: str) -> Sam:
    """The tiny SAM of this repository, or an official shape with random weights; on a GPU if there is one."""
    if model == "tiny":
        return load_sam("tiny", TINY, device=DEVICE)
    torch.manual_seed(0)
    return BUILDERS[model]().to(DEVICE).eval().requires_grad_(False)
