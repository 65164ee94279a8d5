"""Tuning of a SAM: it learns, keeps the best state, resumes exactly, and leaves alone what it should."""

import dataclasses

import numpy as np
import pytest
import torch

from samcarry.adaptation import adapt as adapt_module
from samcarry.adaptation.adapt import AdaptationSettings, Score, adapt, scored_steps, write_scores
from samcarry.adaptation.rehearsal import imagined_case, mean_dice
from samcarry.errors import InputError
from samcarry.networks.training_loop import Checkpoint
from samcarry.prompting.cleaning import CleaningSettings
from samcarry.sam.zoom import ZoomSettings
from samcarry.storage.states import read_state
from support.random_sams import small_sam, tiny_sam, vit_sam
from support.toy_labels import labelled_toys

SETTINGS = AdaptationSettings(
    iterations=4,
    iterations_per_epoch=1,
    learning_rate=3e-3,
    final_learning_rate=3e-4,
    precision="float32",
    compile=False,
    batch_size=1,
    scored=4,
)
WHOLE_AND_DECODER = pytest.mark.parametrize(
    ("build", "whole"), [(small_sam, True), (vit_sam, False)], ids=["whole", "decoder"]
)


def run(folder, sam, whole, score_of=None, seconds=1e9, count=2, **changes):
    return adapt(
        sam,
        labelled_toys(count),
        score_of,
        dataclasses.replace(SETTINGS, **changes),
        whole=whole,
        seed=0,
        checkpoint=Checkpoint(folder / "checkpoint.pt", seconds, "ours"),
        scratch=folder / "scratch",
    )


@torch.no_grad()
def distance(one, other):
    """How far the mask decoders of two SAMs are apart."""
    pairs = zip(one.mask_decoder.parameters(), other.mask_decoder.parameters(), strict=True)
    return float(sum((a - b).abs().sum() for a, b in pairs))


def same(one, other):
    state, other_state = one.state_dict(), other.state_dict()
    return all(torch.equal(tensor, other_state[name]) for name, tensor in state.items())


# ---- learning -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "whole", "steps"), [(small_sam, True, 30), (vit_sam, False, 60)], ids=["whole", "decoder"]
)
def test_the_loss_falls_and_the_score_on_other_images_rises(tmp_path, monkeypatch, build, whole, steps):
    monkeypatch.setattr(adapt_module, "AVERAGE", 0.8)  # the average of few steps
    cleaning = CleaningSettings("none", "square", 0)
    cases = [
        imagined_case(np.random.default_rng(seed), labelled, (60, 45), cleaning)
        for seed, labelled in enumerate(labelled_toys(9)[6:])
    ]
    asked = ZoomSettings("box", None, zoom=2.0, prior="P", fuse=1.0, multimask=False, prompts=1)
    _, curve, scores = run(
        tmp_path,
        build(),
        whole,
        lambda sam: mean_dice(sam, cases, asked, "float32"),
        count=6,
        iterations=steps,
        iterations_per_epoch=3,
        batch_size=2,
        scored=2,
    )
    losses = [step.loss for step in curve]
    assert [score.step for score in scores] == [0, steps // 2, steps]
    assert curve[-1].iteration == steps
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    assert scores[-1].dice > scores[0].dice + 0.2


def test_the_tiny_sam_with_one_mask_and_without_presence_can_be_tuned(tmp_path):
    sam = tiny_sam()
    tuned, curve, _ = run(tmp_path, sam, whole=True, iterations=1)
    assert curve[-1].loss > 0
    assert distance(tuned, sam) > 0


@WHOLE_AND_DECODER
def test_in_bfloat16_the_loss_is_about_the_same_and_the_weights_stay_float32(tmp_path, build, whole):
    full, half = (
        run(tmp_path / precision, build(), whole, iterations=2, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    assert half[1] != full[1]  # or it was float32 in disguise
    assert [step.loss for step in half[1]] == pytest.approx([step.loss for step in full[1]], rel=0.1)
    assert {parameter.dtype for parameter in half[0].parameters()} == {torch.float32}


# ---- what is tuned --------------------------------------------------------------------------


def test_a_whole_sam_is_tuned_in_all_its_parts(tmp_path):
    sam = small_sam()
    tuned, *_ = run(tmp_path, sam, whole=True)
    for part in ("image_encoder", "prompt_encoder", "mask_decoder"):
        assert not same(getattr(tuned, part), getattr(sam, part)), part


def test_of_an_official_sam_only_the_decoder_is_tuned_and_saved(tmp_path):
    sam = vit_sam()
    tuned, *_ = run(tmp_path, sam, whole=False, seconds=0)
    assert same(tuned.image_encoder, sam.image_encoder)
    assert same(tuned.prompt_encoder, sam.prompt_encoder)
    assert not same(tuned.mask_decoder, sam.mask_decoder)
    saved = torch.load(read_state(tmp_path / "checkpoint.pt"), weights_only=True)
    names = [name for part in ("tuned", "average", "best") for name in saved[part]]
    assert names
    assert not any("encoder" in name for name in names)


def test_each_crop_of_a_frozen_encoder_is_embedded_once(tmp_path, monkeypatch):
    embedded = []
    encode_images = adapt_module.encode_images

    def counting(encoder, images):
        embedded.append(images)
        return encode_images(encoder, images)

    monkeypatch.setattr(adapt_module, "encode_images", counting)
    monkeypatch.setattr(adapt_module, "CACHED_BATCHES", 3)
    run(tmp_path, vit_sam(), whole=False, iterations=7, batch_size=2)
    assert [len(images) for images in embedded] == [2, 2, 2]
    assert len({images.sum().item() for images in embedded}) == 3


def test_stored_embeddings_are_those_of_the_encoder(tmp_path, monkeypatch):
    given = []
    batch_loss = adapt_module.batch_loss

    def recording(sam, batch, schedule, step, precision, embeddings):
        given.append((batch, embeddings))
        return batch_loss(sam, batch, schedule, step, precision, embeddings)

    monkeypatch.setattr(adapt_module, "batch_loss", recording)
    monkeypatch.setattr(adapt_module, "CACHED_BATCHES", 2)
    sam = vit_sam()
    run(tmp_path, sam, whole=False)
    for batch, embeddings in given:
        inputs = adapt_module.normalised(sam, batch.images, batch.sizes)
        torch.testing.assert_close(embeddings, sam.image_encoder(inputs), atol=1e-2, rtol=1e-2)
    assert torch.equal(given[0][1], given[2][1])
    assert not torch.equal(given[0][1], given[1][1])


@WHOLE_AND_DECODER
def test_the_given_sam_is_left_unchanged(tmp_path, build, whole):
    sam, before = build(), build()
    tuned, *_ = run(tmp_path, sam, whole)
    assert same(sam, before)
    assert not any(parameter.requires_grad for parameter in sam.parameters())
    assert not any(module.training for module in sam.modules())
    assert not any(module.training for module in tuned.modules())


# ---- which state is kept --------------------------------------------------------------------


@WHOLE_AND_DECODER
def test_the_untuned_sam_is_kept_if_tuning_makes_it_worse(tmp_path, build, whole):
    sam = build()
    tuned, _, scores = run(tmp_path, sam, whole, lambda state: -distance(state, sam))
    assert [score.step for score in scores] == [0, 1, 2, 3, 4]
    assert scores[0].dice == 0 > max(score.dice for score in scores[1:])
    assert same(tuned, sam)


def test_the_untuned_sam_is_kept_if_no_state_is_better(tmp_path):
    sam = small_sam()
    assert same(run(tmp_path, sam, True, lambda state: 0.5)[0], sam)


@WHOLE_AND_DECODER
def test_without_cases_to_score_the_last_state_is_the_result(tmp_path, build, whole):
    sam, seen = build(), []
    run(tmp_path / "scored", sam, whole, lambda state: seen.append(state_of(state)) or 0.0)
    last, _, scores = run(tmp_path / "plain", sam, whole)
    assert scores == []
    assert all(torch.equal(seen[-1][name], tensor) for name, tensor in last.state_dict().items())
    assert distance(last, sam) > 0


def state_of(sam):
    return {name: tensor.clone() for name, tensor in sam.state_dict().items()}


@WHOLE_AND_DECODER
def test_a_resumed_tuning_equals_an_uninterrupted_one_bit_for_bit(tmp_path, monkeypatch, build, whole):
    """The best state is one from before the kill."""
    sam, distances = build(), []
    run(tmp_path / "first", sam, whole, lambda state: distances.append(distance(state, sam)) or 0.0)

    def score_of(state):
        return 1 - abs(distance(state, sam) - distances[2])

    straight, straight_curve, straight_scores = run(tmp_path / "straight", sam, whole, score_of)
    assert max(straight_scores, key=lambda score: score.dice) == Score(2, 1.0)
    draw_batch = adapt_module.draw_batch

    def killed(seed, step, *given):
        if step == 3:
            raise KeyboardInterrupt
        return draw_batch(seed, step, *given)

    with monkeypatch.context() as patch:
        patch.setattr(adapt_module, "draw_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, sam, whole, score_of, seconds=0)
    assert (tmp_path / "checkpoint.pt").exists()
    asked = []
    monkeypatch.setattr(
        adapt_module, "draw_batch", lambda *given: asked.append(given[1]) or draw_batch(*given)
    )
    resumed, curve, scores = run(tmp_path, sam, whole, score_of)
    assert asked == [3]
    assert (curve, scores) == (straight_curve, straight_scores)
    assert same(resumed, straight)


@pytest.mark.parametrize(
    ("iterations", "scored", "expected"),
    [(600, 3, {200, 400, 600}), (2, 1, {2}), (10, 4, {2, 5, 8, 10}), (3, 3, {1, 2, 3})],
)
def test_the_scored_steps_are_evenly_spread_and_end_with_the_last_one(iterations, scored, expected):
    assert scored_steps(dataclasses.replace(SETTINGS, iterations=iterations, scored=scored)) == expected


def test_a_tuning_that_is_scored_more_often_than_it_has_steps_is_scored_after_each(tmp_path):
    _, _, scores = run(tmp_path, small_sam(), True, lambda state: 0.0, iterations=2, scored=7)
    assert [score.step for score in scores] == [0, 1, 2]


# ---- files and errors -----------------------------------------------------------------------


def test_the_scores_are_written_as_csv(tmp_path):
    write_scores(tmp_path / "scores.csv", [Score(0, 0.81234), Score(200, 0.9)])
    assert (tmp_path / "scores.csv").read_bytes() == b"step,dice\n0,0.8123\n200,0.9000\n"


def test_a_loss_that_is_not_finite_names_the_key_of_the_learning_rate(tmp_path):
    with pytest.raises(InputError, match=r"at iteration \d: lower adapt.learning_rate \(1e\+30\)") as caught:
        run(tmp_path, small_sam(), True, learning_rate=1e30)
    assert "\n" not in str(caught.value)
