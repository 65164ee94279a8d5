"""Images, SAMs with random weights, and the embedding of an image by one of them."""

import numpy as np
import pytest

from samcarry.sam.embedding import embed
from support.random_sams import small_sam, vit_sam
from support.sam_predictor import LARGE, SIZE


@pytest.fixture(scope="module")
def image():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    noise = np.random.default_rng(0).integers(0, 60, SIZE)
    return (60 + 60 * np.sin(x / 7) * np.cos(y / 11) + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def embedding(sam, image):
    return embed(sam, image)


@pytest.fixture(scope="module")
def large():
    y, x = np.mgrid[: LARGE[0], : LARGE[1]]
    noise = np.random.default_rng(1).integers(0, 60, LARGE)
    return (80 + 60 * np.sin(x / 9) * np.cos(y / 13) + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def small():
    return small_sam()


@pytest.fixture(scope="module", params=[small_sam, vit_sam])
def any_sam(request):
    return request.param()
