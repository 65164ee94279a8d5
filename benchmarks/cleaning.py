"""Time mask cleaning against components by max-pooling and morphology by convolution.

    python benchmarks/cleaning.py
    python benchmarks/cleaning.py --operation erosion --element disk --radius 3 --threads 2

The baseline works on a GPU without any library. Every foreground pixel gets a number, and 3×3 max-pooling
spreads the largest number within each component. It is repeated as often as a component may be long (this
is kornia's `connected_components`). A convolution with the structuring element then dilates. The baseline
processes all classes at once. Its time grows with the number of iterations; the time of our code depends only
on the number of pixels.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from timing import CLOCKS, agreement, draw, seconds_in_turn

from samcarry.prompting.cleaning import CleaningSettings, clean, structuring_element
from samcarry.runtime.processes import usable_cpus


def draw_probabilities(height: int, width: int, classes: int) -> NDArray[np.uint8]:
    """Probabilities times 255 (class, height, width): blurred ellipses, with stray spots next to them."""
    rng = np.random.default_rng(0)
    _, components = draw(height, width, classes)
    blurred = ndimage.gaussian_filter(components.astype(float), (0, 2, 2))
    spots = 0.3 * ndimage.gaussian_filter(rng.normal(0, 8, components.shape), (0, 4, 4))
    return (255 * (blurred + spots).clip(0, 1)).astype(np.uint8)


def components_by_pooling(foreground: Tensor, iterations: int) -> Tensor:
    """Numbers (class, 1, height, width), equal within each component; 0 = background."""
    numbers = torch.arange(1.0, foreground.numel() + 1).reshape(foreground.shape) * foreground
    for _ in range(iterations):
        numbers = F.max_pool2d(numbers, 3, stride=1, padding=1) * foreground
    return numbers


def clean_by_pooling(
    probabilities: NDArray[np.uint8], settings: CleaningSettings, iterations: int
) -> NDArray[np.bool_]:
    """Cleaned masks (class, height, width), as defined by `cleaning.clean`."""
    values = torch.from_numpy(probabilities)[:, None].float() / 255
    numbers = components_by_pooling((values > 0.5).float(), iterations)
    chosen = torch.zeros_like(values)
    for index, (value, number) in enumerate(zip(values, numbers, strict=True)):
        found = [part for part in number.unique() if part > 0]
        if found:
            means = torch.stack([value[number == part].mean() for part in found])
            chosen[index] = number == found[int(means.argmax())]
    return reshape_by_convolution(chosen, settings)[:, 0].numpy()


def reshape_by_convolution(masks: Tensor, settings: CleaningSettings) -> Tensor:
    """Dilated or eroded masks, bool (class, 1, height, width)."""
    if settings.operation == "none":
        return masks > 0
    element = torch.from_numpy(structuring_element(settings.element, settings.radius)).float()
    before, after = (len(element) - 1) // 2, len(element) // 2
    if settings.operation == "dilation":
        return F.conv2d(F.pad(masks, [before, after] * 2), element[None, None]) > 0
    padded = F.pad(masks, [after, before] * 2, value=1)
    eroded = F.conv2d(padded, element[None, None]) > element.sum() - 0.5
    gone = ~eroded.flatten(1).any(1)
    return torch.where(gone[:, None, None, None], masks > 0, eroded)


def main() -> None:
    """Time both on the same probability maps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", nargs=2, type=int, default=[384, 224], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--classes", type=int, default=17)
    parser.add_argument("--operation", default="dilation", choices=["none", "dilation", "erosion"])
    parser.add_argument("--element", default="square", choices=["square", "disk", "diamond", "star"])
    parser.add_argument("--radius", type=int, default=8)
    parser.add_argument("--iterations", type=int, default=384)
    parser.add_argument(
        "--threads", type=int, default=usable_cpus(), help="threads of torch; our code uses one"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clock", default="wall", choices=sorted(CLOCKS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    probabilities = draw_probabilities(*arguments.size, arguments.classes)
    settings = CleaningSettings(arguments.operation, arguments.element, arguments.radius)
    ways = {
        "ours": lambda: clean(probabilities, settings),
        "pooling": lambda: clean_by_pooling(probabilities, settings, arguments.iterations),
    }
    parts = np.mean([ndimage.label(one > 127, np.ones((3, 3)))[1] for one in probabilities])
    seconds = seconds_in_turn(ways, arguments.runs, arguments.clock)
    size = "x".join(map(str, arguments.size))
    print(f"{size}, {arguments.classes} classes of {parts:.1f} components each, {settings}")
    print(
        f"{arguments.clock} seconds: ours {seconds['ours']:.4f}, "
        f"{arguments.iterations} poolings and one convolution {seconds['pooling']:.2f} "
        f"({arguments.threads} threads): {seconds['pooling'] / seconds['ours']:.0f} times as long; "
        f"{agreement(ways['ours'](), ways['pooling']())}"
    )


if __name__ == "__main__":
    main()
