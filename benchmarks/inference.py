"""Time prediction and writing of a shard, against image by image with one file per case.

    python benchmarks/inference.py
    python benchmarks/inference.py --width 64 --images 4 --runs 1

Our code does what the rule `predict` does: it reads a shard, predicts in batches and writes one stack. The
baseline reads each image from its own NIfTI file, predicts it, and saves its probability maps with nibabel
as gzip NIfTI. It is timed twice: with 8-bit maps, as ours are, and with the network's float32 output. The
network is not trained. Its head is set so that most pixels are as clearly background as in the maps of a
trained network.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from numpy.typing import DTypeLike

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from timing import CLOCKS, DEVICE, seconds_in_turn

from samcarry.data.phantoms import draw_phantoms
from samcarry.images.grey import resize_grey
from samcarry.networks.prediction import predict
from samcarry.networks.unet import UNet
from samcarry.runtime.device import Precision
from samcarry.runtime.processes import usable_cpus
from samcarry.storage.stacks import Stack, read_stack, write_stack

PRECISIONS: tuple[Precision, ...] = ("auto", "float32")
MEAN, STD = 0.43, 0.22  # of grey values in 0..1


def make_network(classes: int, width: int) -> UNet:
    """A network with random weights whose logits are as far from zero as those of a trained one."""
    torch.manual_seed(0)
    network = UNet(classes, width).eval()
    with torch.no_grad():
        network.head.weight.mul_(12)
        network.head.bias.fill_(-8)
    return network.to(DEVICE)


def write_images(folder: Path, count: int, height: int, width: int) -> None:
    """Write phantoms as one shard and as one file per case."""
    phantoms = list(draw_phantoms(counts={"test": count}, seed=0, height=256, width=256))
    images = np.stack([resize_grey(phantom.image, height, width) for phantom in phantoms])
    names = tuple(phantom.case for phantom in phantoms)
    write_stack(folder / "images.nii.gz", Stack(images, "image", names))
    for name, image in zip(names, images, strict=True):
        nib.save(nib.Nifti1Image(image, np.eye(4)), folder / f"image_{name}.nii.gz")


def predict_shard(network: UNet, folder: Path, precision: Precision, batch: int | None) -> None:
    """Read, predict and write as the rule `predict` does."""
    images = read_stack(folder / "images.nii.gz")
    values = predict(network, images.values, MEAN, STD, precision, batch)
    classes = tuple(map(str, range(values.shape[1])))
    stack = Stack(values, "probability", images.cases, classes)
    write_stack(folder / f"in_{precision}.nii.gz", stack, torch.get_num_threads())


@torch.inference_mode()
def predict_each(network: UNet, folder: Path, stored: DTypeLike) -> None:
    """Read, predict and write case by case, with probabilities as 8 bits or float32."""
    for path in sorted(folder.glob("image_*.nii.gz")):
        image = np.asarray(nib.load(path).dataobj, dtype=np.float32)
        grey = torch.from_numpy((image / 255 - MEAN) / STD)[None, None].to(DEVICE)
        probabilities = network(grey).sigmoid()[0].cpu().numpy()
        if stored == np.uint8:
            probabilities = np.rint(probabilities * 255).astype(np.uint8)
        nib.save(nib.Nifti1Image(probabilities, np.eye(4)), folder / f"{np.dtype(stored).name}_{path.name}")


def largest_difference(folder: Path, precision: Precision) -> int:
    """The largest difference between a shard and prediction image by image in float32, in 1/255."""
    shard = read_stack(folder / f"in_{precision}.nii.gz")
    each = [
        np.asarray(nib.load(folder / f"uint8_image_{case}.nii.gz").dataobj, dtype=int) for case in shard.cases
    ]
    return int(np.abs(shard.values.astype(int) - np.stack(each)).max())


def main() -> None:
    """Time all of them on the same images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--width", type=int, default=16, help="channels at full resolution; the paper uses 64"
    )
    parser.add_argument("--size", nargs=2, type=int, default=[384, 224], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--classes", type=int, default=17)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--batch", type=int, help="images per batch; by default, as many as suit the device")
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--clock", default="wall", choices=sorted(CLOCKS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    network = make_network(arguments.classes, arguments.width)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, arguments.images, *arguments.size)
        ways = {
            f"a shard, {precision}": lambda precision=precision: predict_shard(
                network, folder, precision, arguments.batch
            )
            for precision in PRECISIONS
        } | {
            "8 bits": lambda: predict_each(network, folder, np.uint8),
            "float32": lambda: predict_each(network, folder, np.float32),
        }
        seconds = seconds_in_turn(ways, arguments.runs, arguments.clock)
        sizes = {
            "a shard": (folder / "in_auto.nii.gz").stat().st_size,
            "8 bits": sum(file.stat().st_size for file in folder.glob("uint8_*")),
            "float32": sum(file.stat().st_size for file in folder.glob("float32_*")),
        }
        apart = {precision: largest_difference(folder, precision) for precision in PRECISIONS}
    millions = sum(weight.numel() for weight in network.parameters()) / 1e6
    print(
        f"{arguments.images} images, {millions:.1f} M parameters, {arguments.threads} threads, "
        f"{arguments.clock} seconds, {arguments.runs} runs"
    )
    ours = next(iter(seconds.values()))
    for way, duration in seconds.items():
        kilobytes = sizes[way.split(",")[0]] / arguments.images / 1e3
        print(
            f"{way}: {duration / arguments.images:.4f} s and {kilobytes:.0f} kB per image, "
            f"{duration / ours:.2f} times as long as the first"
        )
    for precision, difference in apart.items():
        print(f"{precision}: the largest difference of a probability is {difference}/255")


if __name__ == "__main__":
    main()
