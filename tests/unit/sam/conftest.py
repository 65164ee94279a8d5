"""One image and its embedding by the tests' SAM."""

import numpy as np
import pytest

from samcarry.sam.embedding import embed
from support.sam_predictor import SIZE


@pytest.fixture(scope="module")
def image():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    noise = np.random.default_rng(0).integers(0, 60, SIZE)
    return (60 + 60 * np.sin(x / 7) * np.cos(y / 11) + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def embedding(sam, image):
    return embed(sam, image)
