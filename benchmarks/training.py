"""Time a U-Net training step against a plain float32 loop with augmentation on the CPU; compare the Dice.

    python benchmarks/training.py
    python benchmarks/training.py --width 16 --size 96 96 --batch 2 --train 600

The plain loop is what one would write first: SciPy transforms each sample and each of its masks, followed by
a step of Adam in float32. Our code is the workflow's own training step; its precision is 'auto' by default.

With --train, one network is trained in float32 and one in that precision, with the same seed and phantoms.
Both are evaluated on other phantoms.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from timing import CLOCKS, DEVICE, seconds_in_turn

from samcarry.data.phantoms import CLASSES, draw_phantoms
from samcarry.evaluation.dice import mean_dice
from samcarry.networks.augmentation import augment, draw_affine
from samcarry.networks.batches import draw_batch, generator_of
from samcarry.networks.prediction import predict
from samcarry.networks.subset_statistics import SubsetStatistics, subset_statistics
from samcarry.networks.supervised import run_supervised, train
from samcarry.networks.training_data import TrainingData
from samcarry.networks.training_loop import Checkpoint, TrainingSettings
from samcarry.networks.unet import UNet, normalise_images
from samcarry.runtime.device import Precision, fast_format
from samcarry.runtime.processes import usable_cpus

PLAIN = "the plain loop"
NOWHERE = Checkpoint(Path("no-checkpoint"), 1e9, "")


def phantoms(counts: dict[str, int], height: int, width: int) -> TrainingData:
    """Images and masks of drawn phantoms."""
    drawn = list(draw_phantoms(counts=counts, seed=0, height=height, width=width))
    empty = np.zeros((height, width), dtype=bool)
    masks = [[one.masks.get(name, empty) for name in CLASSES] for one in drawn]
    return TrainingData(np.stack([one.image for one in drawn]), np.array(masks))


class PlainLoop:
    """Float32 training, with augmentation by SciPy, one sample and one mask at a time."""

    def __init__(
        self, data: TrainingData, statistics: SubsetStatistics, settings: TrainingSettings, device: str
    ):
        self.data, self.statistics, self.settings, self.device = data, statistics, settings, device
        self.network = UNet(len(statistics.classes), settings.width, settings.depth).train().to(device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), settings.learning_rate)
        self.weight = torch.tensor(statistics.positive_weight, device=device)[:, None, None]

    def step(self) -> float:
        """One iteration."""
        generator = generator_of(0, 0)
        size = np.array(self.data.images.shape[1:])
        images, masks = [], []
        for theta in draw_affine(self.settings.batch_size, self.settings.affine_sigma, generator).numpy():
            place = int(torch.randint(len(self.data.images), (1,), generator=generator))
            matrix = theta[::-1, 1::-1]  # rows before columns
            shift = (size - 1) / 2 - matrix @ ((size - 1) / 2) + theta[::-1, 2] * size / 2
            move = {"matrix": matrix, "offset": shift}
            images.append(ndimage.affine_transform(self.data.images[place], **move, order=1))
            masks.append(
                [
                    ndimage.affine_transform(m.astype(np.uint8), **move, order=0)
                    for m in self.data.masks[place]
                ]
            )
        grey = torch.from_numpy(np.stack(images)).to(self.device)
        target = torch.from_numpy(np.array(masks)).to(self.device).float()
        logits = self.network(normalise_images(grey, self.statistics.mean, self.statistics.std))
        loss = F.binary_cross_entropy_with_logits(logits, target, pos_weight=self.weight)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()


def score(network: UNet, statistics: SubsetStatistics, data: TrainingData, precision: Precision) -> float:
    """Mean Dice in percent on `data`."""
    values = predict(network, data.images, statistics.mean, statistics.std, precision)
    scores = [mean_dice(truth, found) for truth, found in zip(data.masks, values > 127, strict=True)]
    return 100 * float(np.mean([one for one in scores if one is not None]))


def main() -> None:
    """Time a step of both, and train twice if --train is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--size", nargs=2, type=int, default=[384, 224], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", default="auto", choices=get_args(Precision))
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="iterations per run")
    parser.add_argument(
        "--compile", action="store_true", help="also time our code compiled, without the compilation"
    )
    parser.add_argument("--train", type=int, default=0, help="iterations of the two trainings; 0 for none")
    parser.add_argument("--clock", default="wall", choices=sorted(CLOCKS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = phantoms({"train": 8}, *arguments.size)
    names = tuple(str(index) for index in range(len(data.images)))
    statistics = subset_statistics(data.images, data.masks, names, CLASSES, 2)
    settings = TrainingSettings(
        width=arguments.width,
        depth=4,
        iterations=arguments.steps,
        iterations_per_epoch=arguments.steps,
        batch_size=arguments.batch,
        learning_rate=0.01,
        final_learning_rate=0.0002,
        affine_sigma=0.03,
        precision=arguments.precision,
        compile=False,
    )
    full = replace(settings, precision="float32")
    compiled = replace(settings, compile=True)
    plain = PlainLoop(data, statistics, settings, DEVICE)

    def ours(chosen: TrainingSettings) -> UNet:
        return train(data, statistics, chosen, seed=0, device=DEVICE, checkpoint=NOWHERE)[0]

    def without_loading(chosen: TrainingSettings) -> None:
        network = UNet(len(statistics.classes), chosen.width, chosen.depth).train().to(DEVICE)
        batch = draw_batch(data, statistics, chosen.batch_size, generator_of(0, 0), DEVICE)

        def loss_of(generator: torch.Generator) -> torch.Tensor:
            images, masks = augment(batch.images, batch.masks, chosen.affine_sigma, generator)
            logits = network(images).float()
            return F.binary_cross_entropy_with_logits(logits, masks, pos_weight=plain.weight)

        run_supervised(loss_of, network, chosen, 0, NOWHERE)

    plain_steps = min(arguments.steps, 5)
    ways = {
        PLAIN: lambda: [plain.step() for _ in range(plain_steps)],
        "ours in float32": lambda: ours(full),
        f"ours in {arguments.precision}": lambda: ours(settings),
        "the same with a batch that is already on the device": lambda: without_loading(settings),
    }
    if arguments.compile:
        ways["the same, compiled"] = lambda: ours(compiled)
    for way in ways.values():
        way()  # the first call allocates memory and selects kernels
    seconds = seconds_in_turn(ways, arguments.runs, arguments.clock)
    print(
        f"U-Net of width {arguments.width} at {arguments.size[0]}x{arguments.size[1]}, "
        f"batch {arguments.batch}, {DEVICE}, auto = {fast_format(DEVICE)}, "
        f"{arguments.threads} threads, {arguments.runs} runs"
    )
    for name, spent in seconds.items():
        per_step = spent / (plain_steps if name == PLAIN else arguments.steps)
        ratio = seconds[PLAIN] / plain_steps / per_step
        print(f"{name}: {per_step:.4f} {arguments.clock} seconds per step, {ratio:.2f} times as fast")
    if arguments.train:
        others = phantoms({"train": 8, "test": 24}, *arguments.size)
        others = TrainingData(others.images[8:], others.masks[8:])
        for chosen in (full, settings):
            longer = replace(chosen, iterations=arguments.train, iterations_per_epoch=3)
            found = score(ours(longer), statistics, others, chosen.precision)
            print(f"trained for {arguments.train} iterations in {chosen.precision}: Dice {found:.1f}")


if __name__ == "__main__":
    main()
