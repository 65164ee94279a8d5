"""What the images of a training look like, in a few numbers, and whether a new image looks like them.

Three things are measured, each of them on the prepared image: its grey values, its contrast from fine to
coarse, and its layout, which is a tiny picture of what is bright and what is dark. No network is involved.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Image8 = NDArray[np.uint8]
Numbers = NDArray[np.float64]

FEWEST = 5
"""Fewer images do not show what is usual."""

_MOST = 1000  # more images add nothing but time
_TILES = 6  # of the layout, in each direction
_SCALES = 3
# An image is unlike the training images if one measure, or all together, exceed these multiples of what nine
# of ten training images keep, each judged by the others. Few images know little of what is usual.
_ONE, _TOGETHER = 1.6, 1.3
_DARK = 64  # of 255: 14 bits in a 16-bit file reach it


@dataclass(frozen=True)
class Measure:
    """One measure of the training images.

    Attributes:
        mean: mean of its p numbers, (p,).
        precision: inverse of their covariance, (p, p).
        usual: distance from the mean that nine of ten training images keep, if the others judge.
    """

    mean: Numbers
    precision: Numbers
    usual: float


@dataclass(frozen=True)
class TrainingLook:
    """What training images look like.

    Attributes:
        images: how many were measured.
        measures: {name: measure}, with the names of `MEASURES`.
    """

    images: int
    measures: dict[str, Measure]


@dataclass(frozen=True)
class Unlikeness:
    """How a new image compares with training images.

    Attributes:
        score: 0 and up; above 1, the image is unlike the training images.
        reason: what is unlike, and why if that is clear; '' up to 1.
    """

    score: float
    reason: str


def _grey_values(image: Image8) -> Numbers:
    return np.quantile(image, (0.05, 0.25, 0.5, 0.75, 0.95)) / 255


def _contrast(image: Image8) -> Numbers:
    """Logarithms of the mean step between neighbours, in the image and in two reductions by half each."""
    values, found = image.astype(np.float64) / 255, []
    for _ in range(_SCALES):
        steps = [np.abs(np.diff(values, axis=axis)) for axis in (0, 1)]
        found.append(np.log(sum(float(step.mean()) if step.size else 0.0 for step in steps) + 1e-3))
        height, width = (max(1, side // 2) for side in values.shape)
        values = values[: 2 * height, : 2 * width]
        if min(values.shape) > 1:
            values = values.reshape(height, 2, width, 2).mean((1, 3))
    return np.array(found)


def _layout(image: Image8) -> Numbers:
    """A reduction to 6 × 6 pixels with mean 0 and standard deviation 1."""
    tiles = np.asarray(Image.fromarray(image).resize((_TILES, _TILES), Image.Resampling.BILINEAR))
    centred = tiles - tiles.mean()
    return (centred / max(centred.std(), 1)).ravel()  # no noise is blown up in a blank image


MEASURES: Mapping[str, Callable[[Image8], Numbers]] = {
    "grey values": _grey_values,
    "contrast": _contrast,
    "layout": _layout,
}


def measure_look(stacks: Sequence[NDArray[np.uint8]]) -> dict[str, Any] | None:
    """The look of training images as JSON values, for the metadata of a model file.

    Args:
        stacks: prepared images, each (N, height, width); at most 1000 of them, evenly spaced, are measured.

    Returns:
        None for fewer than 5 images, which do not show what is usual.
    """
    places = [(stack, row) for stack in stacks for row in range(len(stack))]
    if len(places) < FEWEST:
        return None
    chosen = np.unique(np.linspace(0, len(places) - 1, min(len(places), _MOST)).round().astype(int))
    images = (np.asarray(stack[row]) for stack, row in (places[place] for place in chosen))
    found = [[measure(image) for measure in MEASURES.values()] for image in images]
    measures = {}
    for name, numbers in zip(MEASURES, map(np.stack, zip(*found, strict=True)), strict=True):
        mean, precision = _usual(numbers)
        alone = [_distance(own, *_usual(np.delete(numbers, row, 0))) for row, own in enumerate(numbers)]
        measures[name] = {
            "mean": _rounded(mean),
            "precision": [_rounded(row) for row in precision],
            # If all images are equal, the distance is 0.
            "usual": _rounded([max(float(np.quantile(alone, 0.9)), 1e-3)])[0],
        }
    return {"images": len(chosen), "measures": measures}


def _usual(numbers: Numbers) -> tuple[Numbers, Numbers]:
    """Mean (p,) and inverse covariance (p, p) of N images (N, p); few images count as uncorrelated."""
    count, size = numbers.shape
    covariance = np.cov(numbers.T)
    own = np.diag(np.diag(covariance))
    share = size / (count + size)
    mixed = (1 - share) * covariance + share * own + 1e-6 * np.eye(size)
    return numbers.mean(0), np.linalg.inv(mixed)


def _distance(numbers: Numbers, mean: Numbers, precision: Numbers) -> float:
    """Mahalanobis distance, per number."""
    offset = numbers - mean
    return float(np.sqrt(max(float(offset @ precision @ offset), 0.0) / len(offset)))


def _rounded(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.7g}") for value in values]


def read_look(entry: Mapping[str, Any]) -> TrainingLook:
    """The look that `measure_look` has written.

    Raises:
        KeyError, TypeError, ValueError: it is not valid.
    """
    measures = {}
    for name, measure in MEASURES.items():
        given = entry["measures"][name]
        size = len(measure(np.zeros((8, 8), np.uint8)))
        mean, precision = np.array(given["mean"], float), np.array(given["precision"], float)
        usual = float(given["usual"])
        if mean.shape != (size,) or precision.shape != (size, size):
            raise ValueError(f"the measure {name!r} has {mean.shape} numbers")
        if not (usual > 0 and all(np.isfinite(part).all() for part in (mean, precision, usual))):
            raise ValueError(f"the measure {name!r} is not finite")
        measures[name] = Measure(mean, precision, usual)
    if (images := int(entry["images"])) < FEWEST:
        raise ValueError(f"{images} images")
    return TrainingLook(images, measures)


def compare(image: Image8, look: TrainingLook) -> Unlikeness:
    """Compare a prepared image (height, width) with training images."""
    score, parts = _score(image, look)
    if score <= 1:
        return Unlikeness(score, "")
    *most, last = parts
    what = f"{', '.join(most)} and {last}" if most else last
    return Unlikeness(score, f"{what} unlike the training images{_cure(image, look)}")


def _cure(image: Image8, look: TrainingLook) -> str:
    """What is probably wrong with an image that is unlike the training images; '' if that is not clear."""
    if image.min() == image.max():
        return ": it is blank"
    if np.percentile(image, 99) < _DARK:
        return ": it has dark grey values only; if these are 12 bits in a 16-bit file, add --window 0.5 99.5"
    if _score(255 - image, look)[0] <= 1:
        return ": it would be like them with black and white swapped"
    if _score(image[::-1, ::-1].copy(), look)[0] <= 1:
        return ": it would be like them turned by 180 degrees"
    return ""


def _score(image: Image8, look: TrainingLook) -> tuple[float, list[str]]:
    """How unlike an image is, and in what."""
    inflation = 1 + 2 / look.images
    ratios = {
        name: _distance(MEASURES[name](image), measure.mean, measure.precision) / measure.usual / inflation
        for name, measure in look.measures.items()
    }
    together = float(np.sqrt(np.mean(np.square(list(ratios.values())))))
    score = max(max(ratios.values()) / _ONE, together / _TOGETHER)
    limit = min(_ONE, max(ratios.values()))  # if only all together are unlike, the worst one stands for them
    return score, [name for name, ratio in ratios.items() if ratio >= limit]
