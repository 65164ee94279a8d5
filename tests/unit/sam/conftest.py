"""Images, SAMs with random weights, and the embedding of an image by one of them."""

import numpy as np
import pytest

from samcarry.sam.embedding import embed
from support.random_sams import small_sam, vit_sam
from support.sam_predictor import LARGE, SIZE


def waves(size, seed, mean, along_x, along_y):
    """A noisy grey image (height, width) with waves of these lengths."""
    y, x = np.mgrid[: size[0], : size[1]]
    noise = np.random.default_rng(seed).integers(0, 60, size)
    return (mean + 60 * np.sin(x / along_x) * np.cos(y / along_y) + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def image():
    return waves(SIZE, 0, 60, 7, 11)


@pytest.fixture(scope="module")
def embedding(sam, image):
    return embed(sam, image)


@pytest.fixture(scope="module")
def large():
    return waves(LARGE, 1, 80, 9, 13)


@pytest.fixture(scope="module")
def small():
    return small_sam()


@pytest.fixture(scope="module", params=[small_sam, vit_sam])
def any_sam(request):
    return request.param()
