"""Prediction with LR-ASPP: the same from stored embeddings as from images, in batches of any size."""

import numpy as np
import torch

from samcarry.baselines.lraspp import SegmentBySam
from samcarry.baselines.lraspp_prediction import predict_from_embeddings
from samcarry.networks.prediction import in_8_bits
from samcarry.networks.unet import normalise_images
from samcarry.sam.embedding import embed, open_embeddings, write_embeddings
from support.tiny_lraspp import STATISTICS


def test_predictions_from_stored_embeddings_equal_those_from_images(sam, trained, tmp_path):
    data, network, *_ = trained
    path = tmp_path / "embeddings.safetensors"
    write_embeddings(path, ["x", "y"], [embed(sam, image) for image in data.images], {})
    with open_embeddings(path) as embedding_of:
        stored = predict_from_embeddings(network, embedding_of, ["y", "x"], (48, 28))
    images = normalise_images(torch.from_numpy(data.images), STATISTICS.mean, STATISTICS.std)
    with torch.no_grad():
        direct = in_8_bits(SegmentBySam(sam, network, STATISTICS)(images))
    assert stored.dtype == np.uint8
    assert stored.shape == (2, 2, 48, 28)
    assert np.ptp(stored) > 100
    assert np.abs(stored[::-1].astype(int) - direct).max() <= 2


def test_the_batch_size_of_a_prediction_does_not_matter(trained):
    network = trained[1]
    embeddings = {str(k): torch.randn(96, 32, 32).half() for k in range(5)}
    one, two = (
        predict_from_embeddings(network, embeddings.__getitem__, list(embeddings), (40, 40), size).astype(int)
        for size in (1, 2)
    )
    assert np.ptp(one) > 10
    assert np.abs(one - two).max() <= 1
