"""Measured cases of a network that is unsure and sometimes wrong, for tests of confidence."""

import numpy as np

from samcarry.confidence.measures import measure

CLASSES = ["a", "b"]


def probabilities(rng, centre, radius, size=(32, 32)):
    """Probabilities times 255 of a disk (height, width), too sure of themselves."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    distance = np.hypot(rows - centre[0], columns - centre[1]) - radius
    return np.rint(255 / (1 + np.exp(2 * distance + rng.normal(0, 0.5)))).astype(np.uint8)


def case_of(rng, size=(48, 48)):
    """Probabilities at 32 × 32 and the true mask at `size` of a disk that the network places a little off."""
    centre, radius = rng.uniform(12, 20, 2), rng.uniform(5, 8)
    values = probabilities(rng, centre + rng.normal(0, 1, 2), radius + rng.normal(0, 0.7))
    rows, columns = (np.mgrid[: size[0], : size[1]] + 0.5) * 32 / size[0] - 0.5
    return values, np.hypot(rows - centre[0], columns - centre[1]) < radius


def measured_cases(count, seed=0, prefix="", first=0):
    """Both classes of `count` cases, each of a patient of its own; class b is absent in every third one."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(first, first + count):
        for name in CLASSES:
            values, truth = case_of(rng)
            if name == "b" and place % 3 == 0:
                truth[:] = False
            found.append(measure(f"{prefix}{place}", str(place), name, values, truth))
    return found
