"""A trained LR-ASPP, shared by its tests."""

import pytest


@pytest.fixture(scope="session")
def trained(sam, tmp_path_factory):
    """Images that are not square, an LR-ASPP trained on them, its curve, and SAM's state before."""
    from support.tiny_lraspp import pictures, run

    before = {name: tensor.clone() for name, tensor in sam.state_dict().items()}
    data = pictures(48, 28)
    network, curve = run(sam, tmp_path_factory.mktemp("trained"), data, iterations=20, learning_rate=2e-2)
    return data, network, curve, before
