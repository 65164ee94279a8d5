"""Cases with five classes in a row, and networks that agree with the labels apart from some noise."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from samcarry.audit.agreement import Judged

CLASSES = ("left", "inner left", "middle", "inner right", "right")
HEIGHT, WIDTH = 48, 80

Cases = list[Judged]


def draw_case(name: str, rng: np.random.Generator) -> Judged:
    """Five ellipses of individual sizes and places, and probabilities with a soft, noisy edge."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    masks = []
    lift, way = rng.normal(0, 2, 2)
    for index in range(len(CLASSES)):
        row, column = HEIGHT / 2 + lift + rng.normal(0, 1), 10 + 15 * index + way + rng.normal(0, 1)
        # Asymmetric on purpose: mirrored masks differ from masks with other names.
        tall, wide = 9 + 2 * index + rng.normal(0, 0.5), 5 + rng.normal(0, 0.3)
        masks.append(((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2 < 1)
    given = np.array(masks)
    noisy = gaussian_filter(given + rng.normal(0, 0.4, given.shape), (0, 1.2, 1.2))
    return Judged(name, given, (255 * np.clip(noisy, 0, 1)).astype(np.uint8), networks=2)


@pytest.fixture
def cases() -> Cases:
    """Thirty cases without an error."""
    rng = np.random.default_rng(0)
    return [draw_case(f"case {number}", rng) for number in range(30)]


@pytest.fixture
def planted(cases: Cases) -> Callable[[Callable[[np.ndarray], np.ndarray]], Cases]:
    """The cases, with the masks of the fourth one changed by a function."""

    def change(how: Callable[[np.ndarray], np.ndarray]) -> Cases:
        wrong = cases[3]
        changed = Judged(wrong.case, how(wrong.given.copy()), wrong.seen, wrong.networks)
        return [*cases[:3], changed, *cases[4:]]

    return change
