"""Code shared by the benchmarks: draw an image, time functions in turn, compare masks, build a SAM."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from random_walk import draw
from segment_anything.modeling import Sam

from samcarry.evaluation.dice import dice
from samcarry.runtime.processes import keep_freed_memory
from samcarry.sam.checkpoints import BUILDERS, load_sam
from samcarry.sam.own_models import OWN_MODELS

__all__ = ["CLOCKS", "DEVICE", "agreement", "draw", "sam_of", "seconds_in_turn"]

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""Wall time, or CPU time of this process, which varies less on a machine that others use."""

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

keep_freed_memory()  # as each job does; the baselines gain from it too

RESOURCES = Path(__file__).parents[1] / "resources"


def seconds_in_turn(
    ways: Mapping[str, Callable[[], object]], runs: int, clock: str = "wall"
) -> dict[str, float]:
    """Median seconds of each function; they take turns, so that a busy machine slows all of them equally."""
    now = CLOCKS[clock]
    if torch.cuda.is_available():  # the first call loads and selects kernels
        for way in ways.values():
            way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            began = now()
            way()
            if torch.cuda.is_available():  # kernels may still be running
                torch.cuda.synchronize()
            seconds[name].append(now() - began)
    return {name: float(np.median(durations)) for name, durations in seconds.items()}


def agreement(masks: NDArray[np.bool_], others: NDArray[np.bool_]) -> str:
    """A text that says how similar two sets of masks (..., height, width) are."""
    pairs = zip(masks.reshape(-1, *masks.shape[-2:]), others.reshape(-1, *others.shape[-2:]), strict=True)
    scores = [dice(one, other) if one.any() or other.any() else 1.0 for one, other in pairs]
    different = int((masks != others).sum())
    return (
        f"{different} of {masks.size} pixels differ, "
        f"Dice of {len(scores)} masks {np.mean(scores):.5f}, lowest {min(scores):.5f}"
    )


def sam_of(model: str) -> Sam:
    """A SAM of this repository, or an official model with random weights; on a GPU if there is one."""
    if model in OWN_MODELS:
        return load_sam(model, RESOURCES / f"{model}_sam.safetensors", device=DEVICE)
    torch.manual_seed(0)
    return BUILDERS[model]().to(DEVICE).eval().requires_grad_(False)
