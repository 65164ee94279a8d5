"""Probability maps of a U-Net: in 8 bits, one per case and class, the same in batches of any size."""

import math

import numpy as np
import pytest
import torch

from samcarry.networks.prediction import predict
from samcarry.networks.unet import UNet, normalise_images
from support.tiny_training import STATISTICS, pictures


def network_with_constant(probability):
    network = UNet(2, width=4, depth=2).eval()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(math.log(probability / (1 - probability)))
    return network


@pytest.mark.parametrize(("probability", "stored"), [(0.2, 51), (0.4982, 127), (0.502, 128), (0.9999, 255)])
def test_probabilities_are_stored_in_8_bits(probability, stored):
    values = predict(network_with_constant(probability), np.zeros((1, 8, 8), np.uint8), 0.3, 0.2)
    assert values.dtype == np.uint8
    assert np.unique(values).tolist() == [stored]


def test_prediction_has_one_map_per_case_and_class():
    values = predict(network_with_constant(0.3), np.zeros((5, 8, 16), np.uint8), 0.3, 0.2, batch_size=2)
    assert values.shape == (5, 2, 8, 16)


def test_the_batch_size_of_a_prediction_does_not_matter():
    torch.manual_seed(0)
    network = UNet(2, width=4, depth=2).eval()
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16), dtype=np.uint8)
    one, three, all_ = (predict(network, images, 0.4, 0.3, size).astype(int) for size in (1, 3, 8))
    assert np.ptp(one) > 10
    assert np.abs(one - three).max() <= 1  # convolutions of other batch sizes may round differently
    assert np.abs(one - all_).max() <= 1


def test_prediction_normalises_as_training_does():
    torch.manual_seed(0)
    network = UNet(2, width=4, depth=2).eval()
    data = pictures()
    with torch.no_grad():
        images = normalise_images(torch.from_numpy(data.images), STATISTICS.mean, STATISTICS.std)
        expected = network(images).sigmoid() * 255
    values = predict(network, data.images, STATISTICS.mean, STATISTICS.std)
    assert np.abs(values - expected.numpy()).max() <= 0.51
