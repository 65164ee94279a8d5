"""What the unit tests share: one torch thread (their tensors are too small for more), a lively SAM."""

import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def sam():
    """A tiny SAM with random weights, whose answers move with every part of the prompt."""
    from support.random_sams import tiny_sam

    return tiny_sam()
