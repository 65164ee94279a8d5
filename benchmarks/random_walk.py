"""Time the random walk against scikit-image's random_walker, called class by class.

    python benchmarks/random_walk.py
    python benchmarks/random_walk.py --sigma 5 --background-erosion 8 --mask-erosion 4

The classes overlap, so scikit-image can only process one class at a time: the seeds of that class against all
other seeds. Two modes are timed: `cg_j` (iterative, the default) and `bf` (direct, the reference for the
probabilities). `cg_mg` would need pyamg, which is not a requirement here. The last columns are the largest
differences of a probability from `bf`: for our code and for `cg_j`.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import random_walker

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from samcarry.baselines.random_walk import erode, walk_probabilities

Masks = NDArray[np.bool_]


def draw(height: int, width: int, classes: int) -> tuple[NDArray[np.uint8], Masks]:
    """A noisy image of overlapping bright ellipses, and components that are slightly shifted from them."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((height, width))
    image = np.full((height, width), 60.0)
    components = np.zeros((classes, height, width), dtype=bool)
    for component in components:
        row, column = rng.uniform(0.1, 0.9, 2) * (height, width)
        tall, wide = rng.uniform(0.05, 0.15, 2) * (height, width)
        image += 60 * (((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2 < 1)
        component[:] = ((rows - row - 2) / tall) ** 2 + ((columns - column + 2) / wide) ** 2 < 1.15
    noisy = ndimage.gaussian_filter(image, 1) + rng.normal(0, 4, image.shape)
    return noisy.clip(0, 255).astype(np.uint8), components


def by_skimage(
    image: NDArray[np.uint8], seeds: Masks, seeded: Masks, sigma: float, mode: str
) -> NDArray[np.float64]:
    """The same probabilities (class, height, width), class by class, with edge weights equal to ours."""
    grey = image.astype(np.float64)
    beta = 10 * grey.std() / sigma**2
    return np.stack(
        [
            random_walker(grey, seeded + seed.astype(int), beta=beta, mode=mode, return_full_prob=True)[1]
            for seed in seeds
        ]
    )


def median_seconds(function: Callable[[], object], runs: int) -> float:
    """The median duration of several calls; each call builds its system of equations from scratch."""
    durations = []
    for _ in range(runs):
        begin = time.perf_counter()
        function()
        durations.append(time.perf_counter() - begin)
    return float(np.median(durations))


def main() -> None:
    """Time both on one image with the same seeds, for each sigma."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", nargs=2, type=int, default=[384, 224], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--classes", type=int, default=17)
    parser.add_argument("--background-erosion", type=int, default=8)
    parser.add_argument("--mask-erosion", type=int, default=4)
    parser.add_argument("--sigma", nargs="+", type=float, default=[1, 5, 20])
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # at a small sigma, cg_j warns of values outside 0..1
    image, components = draw(*arguments.size, arguments.classes)
    seeds = np.stack([erode(component, arguments.mask_erosion) for component in components])
    seeded = erode(~components.any(axis=0), arguments.background_erosion) | seeds.any(axis=0)
    size = "x".join(map(str, arguments.size))
    print(f"{size}, {arguments.classes} classes, {(~seeded).sum()} unknown pixels, {arguments.runs} runs")
    print("cg_mg is not measured: pyamg is not installed")
    for sigma in arguments.sigma:
        given = (image, seeds, seeded, sigma)
        ours = median_seconds(lambda given=given: walk_probabilities(*given), arguments.runs)
        found = walk_probabilities(*given)
        theirs = {
            mode: median_seconds(lambda given=given, mode=mode: by_skimage(*given, mode), arguments.runs)
            for mode in ("cg_j", "bf")
        }
        exact, approximate = by_skimage(*given, "bf"), by_skimage(*given, "cg_j")
        ratios = ", ".join(
            f"{mode} {seconds:.3f} s ({seconds / ours:.1f}x)" for mode, seconds in theirs.items()
        )
        print(
            f"sigma {sigma:g}: {ours:.3f} s, {ratios}; "
            f"largest difference from bf {np.abs(found - exact).max():.1e} "
            f"(cg_j {np.abs(approximate - exact).max():.1e})"
        )


if __name__ == "__main__":
    main()
