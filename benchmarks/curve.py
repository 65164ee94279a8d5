"""Does the interval of "how many more labels?" cover the true gain? Measured with real labels.

    python benchmarks/curve.py results/demo --draws 200
    python benchmarks/curve.py results/teeth --draws 200 --sizes 3 10 --repeats 5

Training U-Nets for hundreds of draws takes days, so learners that train in milliseconds stand in for them: a
ridge regression on random features of each pixel, and a vote of the most similar labelled images. Their
images, labels and scores are real: they segment the prepared images of a results folder, hidden labels
included.

Each draw deals the labelled cases out anew: some are evaluated, the others are labelled in a random order.
The curve sees the Dice of each evaluated case for the largest size in that order, and for the smaller sizes
with --repeats nested draws of these cases, as a run with the setting `draws` does. The true gain is the
learner's own with more labels, in that order. A results folder is read, and nothing is written.

The column "spread" is the width of the range that holds 95 % of the true gains: an interval that knows their
distribution is that wide. Of single classes, it also has the differences between classes.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, stats
from skimage.transform import resize

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from samcarry.data.manifest import read_manifest
from samcarry.evaluation.label_curve import label_gains
from samcarry.storage.stacks import read_shards
from samcarry.storage.texts import read_text

_PIXELS = 2400
"""Of an image: smaller ones train faster."""

_FEATURES = 160
"""Random features of each pixel."""

_RIDGE = 30.0

_SIMILAR = 0.15
"""Distance of an image whose vote counts e times less, by the mean distance of images."""

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Data:
    """Small images (case, height, width), masks (case, class, pixel), and the names of the classes."""

    images: Values
    masks: NDArray[np.bool_]
    classes: Sequence[str]


def read_data(root: Path) -> Data:
    """The labelled images that a run has prepared, hidden labels included."""
    rows = [
        row
        for row in read_manifest(root / "manifest.csv")
        if row.labels and (root / f"prepared/{row.shard}/masks.nii.gz").exists()
    ]
    classes = read_text(root / "classes.txt").splitlines()
    cases = [row.case for row in rows]
    shards = sorted({row.shard for row in rows})
    images = read_shards([str(root / f"prepared/{shard}/images.nii.gz") for shard in shards], cases)
    masks = read_shards([str(root / f"prepared/{shard}/masks.nii.gz") for shard in shards], cases, classes)
    height, width = images[cases[0]].shape
    shape = tuple(round(side * np.sqrt(_PIXELS / (height * width))) for side in (height, width))
    small = np.stack([resize(images[case].astype(np.float32), shape, anti_aliasing=True) for case in cases])
    small = (small - small.mean(axis=(1, 2), keepdims=True)) / (small.std(axis=(1, 2), keepdims=True) + 1e-6)
    of_case = [
        resize(masks[case].astype(np.float32), (len(classes), *shape), order=1) > 0.5 for case in cases
    ]
    return Data(small.astype(np.float32), np.stack(of_case).reshape(len(cases), len(classes), -1), classes)


class Regression:
    """A ridge regression from random features of each pixel to masks; its sums are kept for each case."""

    def __init__(self, data: Data) -> None:
        rng = np.random.default_rng(0)
        first = _features(data.images[0]).shape[1]
        weights = rng.standard_normal((first, _FEATURES)) / np.sqrt(first / 4)
        shifts = rng.standard_normal(_FEATURES)
        self._features = np.stack(
            [np.tanh(_features(image) @ weights + shifts) for image in data.images]
        ).astype(np.float32)
        masks = data.masks.astype(np.float32)
        self._squares = np.einsum("cpf,cpg->cfg", self._features, self._features, optimize=True)
        self._products = np.einsum("cpf,ckp->cfk", self._features, masks, optimize=True)
        self._sizes = data.masks.sum(axis=2)

    def predict(self, labelled: Sequence[int], wanted: Sequence[int]) -> NDArray[np.bool_]:
        """Masks (case, class, pixel) of the wanted cases."""
        squares = self._squares[labelled].sum(axis=0) + _RIDGE * np.eye(_FEATURES)
        weights = np.linalg.solve(squares, self._products[labelled].sum(axis=0)).astype(np.float32)
        score = np.swapaxes(self._features[wanted] @ weights, 1, 2)
        # The pixels with the highest scores, as many as the class has in the labelled images.
        size = np.rint(self._sizes[labelled].mean(axis=0)).astype(int)
        places = score.shape[2] - np.maximum(size, 1)
        ranked = np.partition(score, np.unique(places), axis=2)
        limit = ranked[:, np.arange(len(size)), places]
        return np.asarray((score >= limit[..., None]) & (size > 0)[:, None])


def _features(image: Values) -> Values:
    """What a pixel and its surroundings look like, and where it is (pixel, feature)."""
    found = []
    for sigma in (0.7, 1.5, 3.0, 6.0):
        smooth = ndimage.gaussian_filter(image, sigma)
        found += [smooth, *np.gradient(smooth), ndimage.laplace(smooth)]
    near = ndimage.gaussian_filter(image, 1.5)
    for step in (4, 9):
        found += [ndimage.shift(near, (step * y, step * x), order=0, mode="nearest") for y, x in _AROUND]
    rows, columns = np.mgrid[-1 : 1 : image.shape[0] * 1j, -1 : 1 : image.shape[1] * 1j]
    places = [rows, columns, rows**2, columns**2, rows * columns]
    places += [
        wave(np.pi * k * axis) for axis in (rows, columns) for k in (1, 2, 4) for wave in (np.sin, np.cos)
    ]
    return np.stack([*found, *places], axis=-1).reshape(image.size, -1).astype(np.float32)


_AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


class Vote:
    """The masks of the labelled images, weighted by how similar the images are."""

    def __init__(self, data: Data) -> None:
        flat = ndimage.gaussian_filter(data.images, (0, 1, 1)).reshape(len(data.images), -1)
        squares = (flat**2).sum(axis=1)
        self._distance = np.maximum(squares[:, None] + squares - 2 * flat @ flat.T, 0) / flat.shape[1]
        self._scale = _SIMILAR * float(self._distance.mean())
        self._masks = data.masks.astype(np.float32)

    def predict(self, labelled: Sequence[int], wanted: Sequence[int]) -> NDArray[np.bool_]:
        """Masks (case, class, pixel) of the wanted cases."""
        distance = self._distance[np.ix_(wanted, labelled)]
        weights = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / self._scale)
        weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return np.tensordot(weights, self._masks[labelled], axes=1) > 0.5


LEARNERS = {"regression": Regression, "vote": Vote}


def dice_rows(
    learner: Regression | Vote, data: Data, n: int, labelled: Sequence[int], evaluated: Sequence[int]
) -> pd.DataFrame:
    """The rows of dice.csv of one training: the Dice of each evaluated case and class that is there."""
    masks, found = data.masks[evaluated], learner.predict(labelled, evaluated)
    sizes = masks.sum(axis=2)
    dice = 2 * (masks & found).sum(axis=2) / np.maximum(sizes + found.sum(axis=2), 1)
    cases, classes = np.nonzero(sizes)
    return pd.DataFrame(
        {
            **{"dataset": "curve", "n": n, "seed": 0, "method": "unet"},
            "case": np.asarray(evaluated)[cases].astype(str),
            "class": np.asarray(data.classes)[classes],
            "dice": dice[cases, classes],
        }
    )


def compare(
    learner: Regression | Vote, data: Data, sizes: Sequence[int], repeats: int, cases: int, draw: int
) -> Iterator[tuple[str, int, float, float, float, float]]:
    """(class, more labels, expected gain, low, high, true gain) of one draw, in points of Dice."""
    rng = np.random.default_rng(draw)
    order = rng.permutation(len(data.images))
    evaluated, pool = order[:cases], order[cases:]
    tables, draws = [], []
    for repeat in range(repeats):
        of_draw = pool if repeat == 0 else rng.permutation(pool[: sizes[-1]])
        for size in sizes if repeat == 0 else sizes[:-1]:
            tables.append(dice_rows(learner, data, size, of_draw[:size], evaluated))
            draws.append(repeat + 1)
    gains = label_gains(tables, draws, ["unet"])
    for more, rows in gains.groupby("more"):
        n = sizes[-1] + int(more)
        if n > len(pool):
            continue
        later = _means(dice_rows(learner, data, n, pool[:n], evaluated))
        now = _means(tables[len(sizes) - 1])
        for row in rows.itertuples():
            name = str(row[gains.columns.get_loc("class") + 1])
            yield name, int(more), row.gain, row.low, row.high, later[name] - now[name]


def _means(rows: pd.DataFrame) -> dict[str, float]:
    """{class: mean Dice in percent}; '' is the mean of each case's mean."""
    found = 100 * rows.groupby("class")["dice"].mean()
    return {**found.to_dict(), "": 100 * rows.groupby("case")["dice"].mean().mean()}


def main() -> None:
    """Print the coverage, with its 95 % interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="results folder of a data set")
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=list(LEARNERS))
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--repeats", type=int, default=3, help="as `draws` in the config")
    parser.add_argument("--cases", type=int, default=24, help="evaluated cases")
    options = parser.parse_args()
    data = read_data(options.results)
    print(f"{options.results}: {len(data.images)} labelled images, {len(data.classes)} classes")
    heads = ("learner", "sizes", "more", "of", "n", "covered", "true gain", "expected", "width", "spread")
    print(f"| {' | '.join(heads)} |\n" + "|---" * len(heads) + "|")
    for name in options.learners:
        learner = LEARNERS[name](data)
        found = defaultdict(list)
        for draw in range(options.draws):
            for of_class, more, *numbers in compare(
                learner, data, options.sizes, options.repeats, options.cases, draw
            ):
                found[more, "all classes" if of_class == "" else "single classes"].append((draw, *numbers))
        for (more, of), rows in sorted(found.items()):
            draws, gain, low, high, true = np.array(rows).T
            covered = (low <= true) & (true <= high)
            # Classes of one draw are not independent: the interval is by draw.
            count = len(np.unique(draws))
            ends = stats.binomtest(round(count * covered.mean()), count).proportion_ci(method="wilson")
            print(
                f"| {name} | {' '.join(map(str, options.sizes))} | {more} | {of} | {len(rows)} | "
                f"{100 * covered.mean():.0f} % ({100 * ends.low:.0f} to {100 * ends.high:.0f}) | "
                f"{true.mean():+.1f} ± {true.std():.1f} | {gain.mean():+.1f} | {np.median(high - low):.1f} | "
                f"{np.diff(np.quantile(true, [0.025, 0.975]))[0]:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
