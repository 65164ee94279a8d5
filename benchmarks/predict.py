"""Time `samcarry predict` on a folder of PNG files, from reading to writing, against a plain loop.

    python benchmarks/predict.py
    python benchmarks/predict.py --images 1 --threads 1 --clock cpu --steps
    python benchmarks/predict.py --images 4 --width 16 --runs 1 --profile

The plain loop reads an image with torchvision, resizes it, predicts it, enlarges the probabilities with
torch, and writes one PNG per class with Pillow. It measures and checks nothing. Ours writes the same masks,
measures each class, and keeps a record of each finished image; `with overlays` is the default of the command.

The network is not trained. So that masks look like masks, both compute its answer, and then take drawn
probabilities in its place.
"""

import argparse
import cProfile
import pstats
import sys
import tempfile
from itertools import count
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torchvision.io import ImageReadMode, read_image
from torchvision.transforms.functional import resize

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from timing import CLOCKS, DEVICE, draw, seconds_in_turn

from samcarry.formats.class_pngs import write_class_masks
from samcarry.images.grey import read_grey, resize_grey
from samcarry.images.masks import mask_at_size, read_mask
from samcarry.measure.table import measure_image
from samcarry.networks.prediction import predict
from samcarry.networks.unet import UNet
from samcarry.predict.models import Model
from samcarry.predict.new_images import predict_folder
from samcarry.runtime.processes import usable_cpus

MEAN, STD = 0.43, 0.22  # of grey values in 0..1


def write_images(folder: Path, number: int, height: int, width: int) -> None:
    """Write grey PNG files that look like radiographs: smooth shapes with noise."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for index in range(number):
        rough = ndimage.gaussian_filter(rng.normal(0, 1, (height // 5, width // 5)), 12)
        rough = 20 + 200 * (rough - rough.min()) / np.ptp(rough)
        smooth = np.asarray(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))
        noisy = smooth + rng.normal(0, 4, smooth.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{index:03d}.png")


def plain_loop(
    network: UNet, drawn: NDArray[np.uint8], images: Path, out: Path, size: tuple[int, int]
) -> None:
    """Masks as one PNG per class."""
    for path in sorted(images.iterdir()):
        grey = read_image(str(path), ImageReadMode.GRAY)
        small = resize(grey, list(size), antialias=True).float() / 255
        with torch.inference_mode():
            network((small[None].to(DEVICE) - MEAN) / STD).sigmoid().cpu()
        probabilities = torch.from_numpy(drawn).float()[None] / 255
        masks = F.interpolate(probabilities, grey.shape[1:], mode="bilinear")[0] > 0.5
        folder = out / path.stem
        folder.mkdir(parents=True)
        for index, mask in enumerate(masks.numpy()):
            if mask.any():
                Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{index}.png")


def print_steps(
    network: UNet, drawn: NDArray[np.uint8], path: Path, size: tuple[int, int], runs: int, clock: str
) -> None:
    """Print the seconds of each step of both, for one image; measuring has no counterpart."""
    grey = read_grey(path)
    small = resize_grey(grey, *size)
    masks = np.stack([mask_at_size(values, *grey.shape) for values in drawn])
    names = [str(index) for index in range(len(drawn))]
    probabilities = torch.from_numpy(drawn).float()[None] / 255

    def enlarge() -> None:
        (F.interpolate(probabilities, grey.shape, mode="bilinear")[0] > 0.5).numpy()

    def save(folder: Path) -> None:
        for name, mask in zip(names, masks, strict=True):
            Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{name}.png")

    with tempfile.TemporaryDirectory() as folder:
        ways = {
            "reading": lambda: read_grey(path),
            "reading, plain": lambda: read_image(str(path), ImageReadMode.GRAY),
            "the network, in both": lambda: predict(network, small[None], MEAN, STD),
            "masks at the size of the image": lambda: [mask_at_size(one, *grey.shape) for one in drawn],
            "masks at the size of the image, plain": enlarge,
            "writing masks": lambda: write_class_masks(folder, masks, names),
            "writing masks, plain": lambda: save(Path(folder)),
            "measuring": lambda: measure_image(masks, drawn, names, (), None),
        }
        for name, seconds in seconds_in_turn(ways, runs, clock).items():
            print(f"{name}: {seconds:.4f} s")


def main() -> None:
    """Time both on the same images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--size", nargs=2, type=int, default=[1500, 2000], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--network", nargs=2, type=int, default=[224, 384], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--classes", type=int, default=17)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--clock", default="wall", choices=sorted(CLOCKS))
    parser.add_argument("--steps", action="store_true", help="also print the seconds of each step")
    parser.add_argument("--profile", action="store_true", help="also print where our time goes")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    network = UNet(arguments.classes, arguments.width).eval().to(DEVICE)
    size = tuple(arguments.network)
    _, masks = draw(*size, arguments.classes)
    drawn = (255 * ndimage.gaussian_filter(masks.astype(float), (0, 2, 2))).astype(np.uint8)

    def answer(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        predict(network, images, MEAN, STD)
        return np.repeat(drawn[None], len(images), axis=0)

    names = tuple(str(index) for index in range(arguments.classes))
    model = Model(answer, names, size, MEAN, STD, None, "0" * 64)
    numbers = count()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "images", arguments.images, *arguments.size)

        def ours(*formats: str) -> Path:
            out = folder / f"ours{next(numbers)}"
            predict_folder(model, folder / "images", out, formats, threads=arguments.threads)
            return out

        def plain() -> Path:
            out = folder / f"plain{next(numbers)}"
            plain_loop(network, drawn, folder / "images", out, size)
            return out

        ways = {"ours": lambda: ours("png"), "with overlays": lambda: ours("png", "overlay"), "plain": plain}
        seconds = seconds_in_turn(ways, arguments.runs, arguments.clock)
        print(
            f"{arguments.images} images of {arguments.size[1]}x{arguments.size[0]}, "
            f"{arguments.classes} classes, {arguments.threads} threads, {arguments.clock} seconds per image, "
            f"{arguments.runs} runs"
        )
        print(f"plain loop: {seconds['plain'] / arguments.images:.3f} s")
        for way in ("ours", "with overlays"):
            ratio = seconds["plain"] / seconds[way]
            print(f"{way}: {seconds[way] / arguments.images:.3f} s, {ratio:.2f} times as fast")
        mine, others = ours("png") / "masks", plain()
        files = sorted(path.relative_to(others) for path in others.rglob("*.png"))
        apart = [(read_mask(mine / file) != read_mask(others / file)).mean() for file in files]
        print(f"pixels that differ in {len(files)} masks: {np.mean(apart):.1e}")
        if arguments.steps:
            first = folder / "images/000.png"
            print_steps(network, drawn, first, size, arguments.runs, arguments.clock)
        if arguments.profile:
            profile = cProfile.Profile()
            profile.runcall(ours, "png")
            pstats.Stats(profile).sort_stats("tottime").print_stats(20)


if __name__ == "__main__":
    main()
