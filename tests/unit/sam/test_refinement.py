"""SAM: the answers of segment-anything's own predictor."""

import csv

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor

from samcarry.errors import InputError
from samcarry.prompting.prompts import Prompt, extract_prompts
from samcarry.sam.checkpoints import BUILDERS
from samcarry.sam.embedding import embed, embed_images, open_embeddings, write_embeddings
from samcarry.sam.inputs import input_size
from samcarry.sam.quality import Refined, write_quality
from samcarry.sam.refinement import decode, full_size, prompt_parts, refine
from support.sam_predictor import ask

SIZE = (97, 53)  # proportions as of a wrist; the two sides are not scaled by quite the same factor


@pytest.fixture(scope="module")
def image():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    noise = np.random.default_rng(0).integers(0, 60, SIZE)
    return (60 + 60 * np.sin(x / 7) * np.cos(y / 11) + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def embedding(sam, image):
    return embed(sam, image)


@pytest.fixture(scope="module")
def predictor(sam, image, embedding):
    """Segment-anything's own predictor on the same embedding."""
    predictor = SamPredictor(sam)
    predictor.set_image(np.repeat(image[..., None], 3, axis=2))
    predictor.features = embedding.float()[None]
    return predictor


def masks():
    """Five classes: apart, overlapping, absent, at the border, one pixel."""
    drawn = np.zeros((5, *SIZE), dtype=bool)
    drawn[0, 10:40, 8:20] = True
    drawn[1, 30:70, 15:45] = True
    drawn[3, 80:, 40:] = True
    drawn[4, 50, 5] = True
    return drawn


PROMPTS = extract_prompts(masks())
PRESENT = [prompt for prompt in PROMPTS if prompt is not None]


# ---- the same answers as segment-anything's predictor ---------------------------------------


def test_the_embedding_is_the_predictors_in_16_bits(sam, image, embedding):
    predictor = SamPredictor(sam)
    predictor.set_image(np.repeat(image[..., None], 3, axis=2))
    assert embedding.dtype == torch.float16
    assert torch.equal(embedding, predictor.features[0].half())


@pytest.mark.parametrize("kind", ["box", "pos", "pos+neg", "box+pos", "box+pos+neg"])
def test_all_prompts_at_once_equal_the_predictor_prompt_by_prompt(sam, embedding, predictor, kind):
    logits, quality = decode(sam, embedding, PRESENT, kind, SIZE)
    for k, prompt in enumerate(PRESENT):
        _, expected_quality, expected = ask(predictor, prompt, kind)
        np.testing.assert_allclose(logits[k], expected, atol=2e-5)
        assert quality[k] == pytest.approx(expected_quality, abs=1e-5)


@pytest.mark.parametrize("kind", ["box", "pos", "pos+neg", "box+pos+neg", "mask"])
def test_the_second_pass_equals_the_predictor_with_the_first_mask(sam, embedding, predictor, kind):
    first, _ = decode(sam, embedding, PRESENT, "box", SIZE)
    logits, quality = decode(sam, embedding, PRESENT, kind, SIZE, first)
    for k, prompt in enumerate(PRESENT):
        mask_input = first[k : k + 1].numpy()
        _, expected_quality, expected = ask(predictor, prompt, kind, mask_input)
        np.testing.assert_allclose(logits[k], expected, atol=1e-4)
        assert quality[k] == pytest.approx(expected_quality, abs=1e-5)


def test_masks_at_full_size_equal_the_predictors(sam, embedding, predictor):
    logits, _ = decode(sam, embedding, PRESENT, "box", SIZE)
    found = full_size(sam, logits, SIZE)
    expected = np.stack([ask(predictor, prompt, "box")[0] for prompt in PRESENT])
    assert found.shape == (4, *SIZE)
    assert 0.01 < expected.mean() < 0.99, "the weights draw nothing that could differ"
    assert (found != expected).mean() < 1e-3


def test_refine_equals_the_predictor_in_two_passes(sam, embedding, predictor):
    found = refine(sam, embedding, PROMPTS, SIZE, "box", "pos+neg")
    for index, prompt in enumerate(PROMPTS):
        if prompt is not None:
            _, _, first = ask(predictor, prompt, "box")
            mask, quality, _ = ask(predictor, prompt, "pos+neg", first[None])
            assert (found.masks[index] != mask).mean() < 1e-3
            assert found.quality[index] == pytest.approx(quality, abs=1e-4)


def test_the_answer_depends_on_the_prompt(sam, embedding):
    logits, _ = decode(sam, embedding, PRESENT, "box", SIZE)
    assert (logits[0] - logits[1]).abs().max() > 1e-2


def test_the_second_pass_depends_on_the_first_mask(sam, embedding):
    first, _ = decode(sam, embedding, PRESENT, "box", SIZE)
    one, _ = decode(sam, embedding, PRESENT, "pos", SIZE, first)
    other, _ = decode(sam, embedding, PRESENT, "pos", SIZE, -first)
    assert (one - other).abs().max() > 1e-2


@pytest.mark.parametrize("chunk", [1, 3])
def test_the_number_of_prompts_per_call_does_not_matter(sam, embedding, chunk):
    first, _ = decode(sam, embedding, PRESENT, "box", SIZE)
    whole, quality = decode(sam, embedding, PRESENT, "pos+neg", SIZE, first)
    parts, part_quality = decode(sam, embedding, PRESENT, "pos+neg", SIZE, first, chunk=chunk)
    torch.testing.assert_close(parts, whole, atol=1e-4, rtol=0)
    torch.testing.assert_close(part_quality, quality, atol=1e-5, rtol=0)


@pytest.mark.parametrize("protocol", ["sam", "medsam"])
def test_images_embedded_together_are_embedded_as_one_by_one(sam, image, protocol):
    images = np.stack([image, image[::-1], 255 - image])
    single = [next(embed_images(protocol, sam, [each])) for each in images]
    together = list(embed_images(protocol, sam, images, at_once=2))
    assert [each.dtype for each in together] == [torch.float16] * 3
    torch.testing.assert_close(torch.stack(together), torch.stack(single), atol=2e-3, rtol=1e-3)


def test_an_embedding_in_bfloat16_gives_the_same_masks_but_for_rounding(sam, image, embedding):
    half = next(embed_images("sam", sam, [image], "bfloat16"))
    assert not torch.equal(half, embedding)
    apart = float((half.float() - embedding.float()).norm() / embedding.float().norm())
    assert apart < 0.03


def test_points_and_boxes_scale_with_the_image(sam, embedding):
    double = [
        Prompt(
            tuple(2 * side for side in prompt.box),
            tuple(2 * side for side in prompt.positive),
            tuple((2 * x, 2 * y) for x, y in prompt.negative),
        )
        for prompt in PRESENT
    ]
    small, _ = decode(sam, embedding, PRESENT, "box+pos+neg", SIZE)
    large, _ = decode(sam, embedding, double, "box+pos+neg", (2 * SIZE[0], 2 * SIZE[1]))
    torch.testing.assert_close(large, small, atol=1e-4, rtol=0)


# ---- refine: present, absent, passes --------------------------------------------------------


def test_an_absent_class_stays_empty_with_no_quality(sam, embedding):
    found = refine(sam, embedding, PROMPTS, SIZE)
    assert not found.masks[2].any()
    assert np.isnan(found.quality).tolist() == [False, False, True, False, False]


def test_an_absent_class_does_not_shift_the_others(sam, embedding):
    with_gap = refine(sam, embedding, PROMPTS, SIZE)
    without = refine(sam, embedding, PRESENT, SIZE)
    assert (with_gap.masks[[0, 1, 3, 4]] == without.masks).all()


def test_a_case_in_which_nothing_is_present_stays_empty(sam, embedding):
    found = refine(sam, embedding, [None, None], SIZE)
    assert found.masks.shape == (2, *SIZE)
    assert not found.masks.any()
    assert np.isnan(found.quality).all()


def test_a_single_present_class_without_negatives_is_refined(sam, embedding):
    (prompt,) = extract_prompts(masks()[:1])
    assert prompt.negative == ()
    found = refine(sam, embedding, [prompt, None], SIZE)
    assert not np.isnan(found.quality[0])


def test_no_second_pass_is_the_first_pass(sam, embedding):
    logits, quality = decode(sam, embedding, PRESENT, "pos", SIZE)
    found = refine(sam, embedding, PRESENT, SIZE, "pos", None)
    assert (found.masks == full_size(sam, logits, SIZE)).all()
    assert (found.quality == quality.numpy()).all()


def test_a_second_pass_by_the_mask_alone(sam, embedding):
    first, _ = decode(sam, embedding, PRESENT, "box", SIZE)
    sparse, dense = sam.prompt_encoder(None, None, first[:, None])
    assert sparse.shape[1] == 0
    logits, _ = sam.mask_decoder(
        image_embeddings=embedding.float()[None],
        image_pe=sam.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    found = refine(sam, embedding, PRESENT, SIZE, "box", "mask")
    assert (found.masks == full_size(sam, logits[:, 0], SIZE)).all()


@pytest.mark.parametrize(
    ("kind", "parts"),
    [("box", {"box"}), ("pos+neg", {"pos", "neg"}), ("box+pos+neg", {"box", "pos", "neg"})],
)
def test_a_kind_of_prompt_has_its_parts(kind, parts):
    assert prompt_parts(kind) == parts


def test_the_kind_mask_has_neither_box_nor_points():
    assert not prompt_parts("mask") & {"box", "pos", "neg"}


def test_quality_is_written_for_present_classes_only(tmp_path):
    answers = {
        "a": Refined(np.zeros((2, 1, 1), dtype=bool), np.array([0.5, np.nan], np.float32)),
        "b": Refined(np.zeros((2, 1, 1), dtype=bool), np.array([0.25, 1], np.float32)),
    }
    write_quality(tmp_path / "q.csv", answers, ["Radius", "Ulna"])
    with (tmp_path / "q.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [
            ["case", "class", "iou"],
            ["a", "Radius", "0.5000"],
            ["b", "Radius", "0.2500"],
            ["b", "Ulna", "1.0000"],
        ]


# ---- images and embeddings ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [((384, 224), (384, 224)), ((224, 384), (224, 384)), ((96, 56), (384, 224)), ((100, 100), (384, 384))],
)
def test_the_long_side_fills_the_tiny_sams_input(sam, size, expected):
    assert input_size(sam, *size) == expected


@pytest.mark.parametrize(("size", "expected"), [((384, 224), (1024, 597)), ((224, 384), (597, 1024))])
def test_the_long_side_fills_the_official_input(size, expected):
    with torch.device("meta"):
        official = BUILDERS["vit_b"]()
    assert input_size(official, *size) == expected


def test_embeddings_come_back_by_case(tmp_path):
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
def test_missing_or_truncated_embeddings_are_told_in_one_line(tmp_path, keep):
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
