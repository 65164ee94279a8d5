"""Whether an image is like those that a network was shown: distances of features of its deepest layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samcarry.confidence.conformal import of_patients, p_value

Numbers = NDArray[np.float64]

FEWEST = 5
"""Fewer training images do not show what is usual."""

OUTSIDE = 0.05
"""An image is outside of what the network was shown if its p value is at most this."""

_MOST = 200  # training images that a model file keeps
_AXES = 16
_NEIGHBOURS = 5


@dataclass(frozen=True)
class Shown:
    """Features of training images, and how far validation images are from them.

    Attributes:
        mean: mean of the p features of the training images, (p,).
        scale: their standard deviation, (p,).
        axes: the directions in which standardised features vary most, (axis, p).
        training: the training images along these axes, (N, axis).
        usual: the distance of each validation patient from the training images, ascending.
    """

    mean: Numbers
    scale: Numbers
    axes: Numbers
    training: Numbers
    usual: tuple[float, ...]

    def distance(self, features: Numbers) -> float:
        """The mean distance of an image with the features (p,) from its five nearest training images.

        What is not along the axes counts too.
        """
        standard = (features - self.mean) / self.scale
        own = self.axes @ standard
        rest = float(standard @ standard - own @ own)
        squares = ((self.training - own) ** 2).sum(axis=1) + max(rest, 0.0)
        return float(np.sqrt(np.sort(squares)[:_NEIGHBOURS] / len(features)).mean())

    def p_value(self, features: Numbers) -> float:
        """The conformal p value of "this image is like the validation images", see `conformal.p_value`."""
        return p_value(self.distance(features), self.usual)


def shown_images(training: Numbers, validation: Numbers, patients: Sequence[str]) -> Shown | None:
    """What a network was shown; None with fewer than 5 training images or without a validation image.

    Args:
        training: features of training images (N, p).
        validation: features of images that the network did not learn from (M, p).
        patients: the patient of each of these M images.
    """
    if len(training) < FEWEST or not len(validation):
        return None
    chosen = np.unique(np.linspace(0, len(training) - 1, min(len(training), _MOST)).round().astype(int))
    own = training[chosen]
    mean, scale = own.mean(axis=0), np.maximum(own.std(axis=0), 1e-6)
    standard = (own - mean) / scale
    axes = np.linalg.svd(standard, full_matrices=False)[2][:_AXES]
    # Rounded as it is stored, so that distances are the same before and after.
    mean, scale, axes, along = (_rounded(part) for part in (mean, scale, axes, standard @ axes.T))
    found = Shown(mean, scale, axes, along, ())
    distances = [found.distance(features) for features in validation]
    usual = sorted(of_patients(zip(patients, distances, strict=True)).values())
    return Shown(mean, scale, axes, along, tuple(float(f"{value:.7g}") for value in usual))


def shown_as_json(shown: Shown) -> dict[str, Any]:
    """JSON values for the metadata of a model file."""
    arrays = {name: getattr(shown, name).tolist() for name in ("mean", "scale", "axes", "training")}
    return {**arrays, "usual": list(shown.usual)}


def read_shown(entry: Mapping[str, Any]) -> Shown:
    """What `shown_as_json` has written.

    Raises:
        KeyError, TypeError, ValueError: it is not valid.
    """
    mean, scale, axes, training = (
        np.array(entry[name], dtype=np.float64) for name in ("mean", "scale", "axes", "training")
    )
    usual = tuple(float(value) for value in entry["usual"])
    size = len(mean)
    fits = scale.shape == (size,) and axes.ndim == training.ndim == 2 and axes.shape[1] == size
    if not (fits and training.shape[1] == len(axes) and len(training) >= FEWEST and usual):
        raise ValueError("the parts of `shown` do not fit together")
    if not (
        all(np.isfinite(part).all() for part in (mean, scale, axes, training, usual)) and scale.min() > 0
    ):
        raise ValueError("`shown` is not finite")
    return Shown(mean, scale, axes, training, tuple(sorted(usual)))


def _rounded(values: Numbers) -> Numbers:
    return np.array([float(f"{value:.5g}") for value in values.ravel()]).reshape(values.shape)
