"""Simulated coverage of the 95 % intervals, for scores that are distributed like Dice.

Scores have a beta distribution whose mean differs between patients; the tail towards 0 is long (skewness -0.9
and -1.2 for the two distributions). Patients have one to four images. The standard error of a coverage below
is at most 0.7 points.
"""

import numpy as np
import pytest
from scipy.special import expit, logit

from samcarry.evaluation.intervals import intervals

REPETITIONS = 1200
# (median of the patients' means, spread of the patients on the logit scale, images per unit of variance)
LIKE_DICE = {"short tail": (0.85, 0.5, 20), "long tail": (0.85, 0.8, 8)}
BASELINE = {"short tail": (0.80, 0.5, 15), "long tail": (0.80, 0.9, 6)}
CORRELATION = 0.7  # of a patient's effect on two methods
PATIENTS = (6, 10, 24, 100)


def dice(generator, shape, effect):
    """Scores for patients with the effects (..., image)."""
    median, spread, size = shape
    mean = expit(logit(median) + spread * effect)
    return generator.beta(mean * size, (1 - mean) * size)


def samples(generator, patients, tail, repetitions=REPETITIONS):
    """Scores (repetition, image) of a method and of a baseline, and the number of images of each patient."""
    images = generator.integers(1, 5, patients)
    own = generator.standard_normal((repetitions, patients))
    other = CORRELATION * own + (1 - CORRELATION**2) ** 0.5 * generator.standard_normal(own.shape)
    first, second = (
        dice(generator, shapes[tail], effect.repeat(images, axis=1))
        for shapes, effect in ((LIKE_DICE, own), (BASELINE, other))
    )
    return first, second, images


def true_means(tail):
    effects = np.random.default_rng(99).standard_normal((2, 2_000_000))
    return [
        expit(logit(shapes[tail][0]) + shapes[tail][1] * effect).mean()
        for shapes, effect in zip((LIKE_DICE, BASELINE), effects, strict=True)
    ]


def coverage(values, images, scale, truth, *, by_image=False):
    """Share of the repetitions whose interval contains the true mean, in percent."""
    if by_image:
        images = np.ones(values.shape[1], int)
    sums = np.add.reduceat(values, np.cumsum(images) - images, axis=1)
    low, high = intervals(sums, images.astype(float), scale, resamples=1000)
    return 100 * np.mean((low <= truth) & (truth <= high))


def simulated(patients, tail, kind, **options):
    """Coverage over several numbers of images per patient, which are drawn again for each part."""
    generator = np.random.default_rng(patients)
    method, baseline = true_means(tail)
    found = []
    for _ in range(4):
        first, second, images = samples(generator, patients, tail, REPETITIONS // 4)
        if kind == "mean":
            found.append(coverage(first, images, "share", method, **options))
        else:
            found.append(coverage(first - second, images, "difference", method - baseline, **options))
    return np.mean(found)


@pytest.mark.parametrize("kind", ["mean", "difference"])
@pytest.mark.parametrize("tail", LIKE_DICE)
@pytest.mark.parametrize("patients", PATIENTS)
def test_the_interval_contains_the_true_mean_in_93_to_97_percent(patients, tail, kind):
    assert 93 <= simulated(patients, tail, kind) <= 97


@pytest.mark.parametrize("patients", [10, 24])
def test_intervals_by_image_would_cover_too_little(patients):
    """So the bounds above can fail, and resampling by patient is needed."""
    assert simulated(patients, "long tail", "mean", by_image=True) < 92


@pytest.mark.parametrize("patients", [6, 10, 24, 100])
def test_the_interval_of_a_distance_contains_the_true_mean_as_well(patients):
    generator = np.random.default_rng(patients)
    found = []
    for _ in range(4):
        images = generator.integers(1, 5, patients)
        effect = 0.4 * generator.standard_normal((REPETITIONS // 4, patients)).repeat(images, axis=1)
        distances = np.exp(1.5 + effect + 0.4 * generator.standard_normal(effect.shape))
        found.append(coverage(distances, images, "length", np.exp(1.5 + 0.16)))
    assert 93 <= np.mean(found) <= 97
