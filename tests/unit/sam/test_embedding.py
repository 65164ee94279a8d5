"""Image embeddings: as from segment-anything's predictor, and unchanged after writing and reading."""

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor

from samcarry.errors import InputError
from samcarry.sam.embedding import embed_images, open_embeddings, write_embeddings


def test_an_embedding_is_that_of_the_predictor_in_16_bits(sam, image, embedding):
    predictor = SamPredictor(sam)
    predictor.set_image(np.repeat(image[..., None], 3, axis=2))
    assert embedding.dtype == torch.float16
    assert torch.equal(embedding, predictor.features[0].half())


@pytest.mark.parametrize("protocol", ["sam", "medsam"])
def test_a_batch_has_the_embeddings_of_its_single_images(sam, image, protocol):
    images = np.stack([image, image[::-1], 255 - image])
    single = [next(embed_images(protocol, sam, [each])) for each in images]
    together = list(embed_images(protocol, sam, images, at_once=2))
    assert [each.dtype for each in together] == [torch.float16] * 3
    torch.testing.assert_close(torch.stack(together), torch.stack(single), atol=2e-3, rtol=1e-3)


def test_an_embedding_in_bfloat16_differs_only_by_rounding(sam, image, embedding):
    half = next(embed_images("sam", sam, [image], "bfloat16"))
    assert not torch.equal(half, embedding)
    difference = float((half.float() - embedding.float()).norm() / embedding.float().norm())
    assert difference < 0.03


def test_embeddings_are_read_by_case(tmp_path):
    tensors = [torch.full((2, 3, 3), value, dtype=torch.float16) for value in (1.0, 2.0)]
    write_embeddings(tmp_path / "e.safetensors", ["ä", "b"], tensors, {"rule": "embed"})
    with open_embeddings(tmp_path / "e.safetensors") as embedding_of:
        assert torch.equal(embedding_of("b"), tensors[1])
        assert torch.equal(embedding_of("ä"), tensors[0])


def test_the_same_embeddings_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_embeddings(tmp_path / name, ["x"], [torch.ones(2, 3, 3).half()], {"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("keep", [None, 0, 4, 100])
def test_missing_or_truncated_embeddings_are_reported_in_one_line(tmp_path, keep):
    path = tmp_path / "e.safetensors"
    if keep is not None:
        write_embeddings(path, ["x"], [torch.ones(2, 30, 30).half()], {})
        path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError) as caught, open_embeddings(path):
        pass
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_flipped_bit_in_an_embedding_is_found(tmp_path):
    path = tmp_path / "e.safetensors"
    write_embeddings(path, ["x"], [torch.ones(2, 30, 30).half()], {})
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with open_embeddings(path) as embedding_of, pytest.raises(InputError, match="damaged"):
        embedding_of("x")
