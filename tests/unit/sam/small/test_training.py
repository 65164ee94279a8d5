"""Training of the small SAM: schedule, loss, and a resumed run that ends where an uninterrupted one does."""

import importlib.util
from pathlib import Path

import pytest
import torch

from samcarry.runtime.device import autocast
from samcarry.sam.answers import Answers
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.small.model import build_small_sam
from samcarry.sam.small.samples import CropBatches, Mixture
from samcarry.sam.small.training import (
    FIRST_SHARES,
    PRIOR_SHARES,
    PROMPT_KINDS,
    Schedule,
    answer_loss,
    ask,
    batch_loss,
    mask_errors,
    rate_at,
    true_iou,
)

SCHEDULE = Schedule(steps=1000, decay_steps=200, learning_rate=1e-3, warmup_steps=100)
TOOL = Path(__file__).parents[4] / "tools" / "train_small_sam.py"


@pytest.fixture(scope="module")
def batch():
    return CropBatches(Mixture(side=96, crops=2, nothing_share=1.0), {}, 0, 9)[1]


@pytest.fixture
def sam():
    torch.manual_seed(0)
    return build_small_sam(96)


@pytest.mark.parametrize(("step", "share"), [(0, 0.01), (99, 1), (800, 1), (900, 0.5), (999, 0.005)])
def test_the_rate_rises_stays_and_falls_in_straight_lines(step, share):
    assert rate_at(SCHEDULE, step) == pytest.approx(share * 1e-3)


@pytest.mark.parametrize(("left", "share"), [(2.0, 1), (0.4, 0.4), (-0.1, 0)])
def test_a_time_budget_lets_the_rate_fall_earlier(left, share):
    assert rate_at(SCHEDULE, 500, left) == pytest.approx(share * 1e-3)


def test_the_shares_of_the_ways_of_asking_add_up_to_one():
    for shares in (FIRST_SHARES, PRIOR_SHARES):
        assert len(shares) == len(PROMPT_KINDS)
        assert sum(shares) == pytest.approx(1)


def squares():
    """Two prompts of which each has four masks: right, empty, half, and right again."""
    targets = torch.zeros(2, 16, 16)
    targets[:, 4:12, 4:12] = 1
    half = targets.clone()
    half[:, 8:] = 0
    masks = torch.stack([targets, torch.zeros_like(targets), half, targets], dim=1)
    return 40 * masks - 20, targets


def test_the_error_is_least_for_the_right_mask():
    logits, targets = squares()
    errors = mask_errors(logits, targets)
    assert errors.shape == (2, 4)
    assert errors[0, 0] < 0.01 < errors[0, 2] < errors[0, 1]


def test_the_iou_is_that_of_the_masks():
    logits, targets = squares()
    assert true_iou(logits, targets)[0].tolist() == [1, 0, 0.5, 1]


def with_present(batch, *values):
    targets = squares()[1]
    import dataclasses

    return dataclasses.replace(batch, targets=targets, present=torch.tensor(values))


def test_right_answers_have_next_to_no_loss(batch):
    logits, targets = squares()
    answers = Answers(logits, true_iou(logits, targets), torch.full((2,), 20.0))
    assert answer_loss(answers, with_present(batch, True, True)) < 0.02


def test_where_nothing_is_there_the_masks_do_not_matter(batch):
    logits, targets = squares()
    asked = with_present(batch, True, False)
    sure = torch.tensor([20.0, -20.0])
    right = Answers(logits, true_iou(logits, targets), sure)
    wrong = Answers(torch.stack([logits[0], -logits[1]]), right.quality, sure)
    assert answer_loss(right, asked) == answer_loss(wrong, asked)
    unsure = Answers(logits, right.quality, torch.tensor([20.0, 20.0]))
    assert answer_loss(unsure, asked) > answer_loss(right, asked) + 1


def test_a_model_without_presence_is_judged_by_its_masks(batch):
    logits, targets = squares()
    asked = with_present(batch, True, False)
    sure = Answers(logits, true_iou(logits, targets), torch.tensor([30.0, -30.0]))
    without = Answers(logits, sure.quality, None)
    assert answer_loss(without, asked) == pytest.approx(float(answer_loss(sure, asked)))
    worse = Answers(-logits, sure.quality, None)
    assert answer_loss(worse, asked) > answer_loss(without, asked) + 0.5


@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_every_way_of_asking_is_answered_with_and_without_a_mask_prompt(sam, batch, kind):
    embeddings = torch.randn(2, 96, 8, 8)
    for dense in (batch.priors, *([] if kind == "mask" else [None])):
        with torch.inference_mode():
            answers = ask(sam, embeddings, batch, kind, 2, dense)
        assert answers.logits.shape == (len(batch.owner), 4, 32, 32)


def test_the_loss_of_a_step_is_the_same_each_time_and_reaches_every_weight(sam, batch):
    exact = autocast("float32", "cpu")
    losses = [batch_loss(sam, batch, SCHEDULE, step, exact) for step in range(12)]
    assert batch_loss(sam, batch, SCHEDULE, 3, exact) == losses[3]
    torch.stack(losses).sum().backward()
    without = {name for name, weight in sam.named_parameters() if weight.grad is None}
    assert without <= {"prompt_encoder.not_a_point_embed.weight", "prompt_encoder.no_mask_embed.weight"}


# ---- the script -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("train_small_sam", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_of(tool, monkeypatch, folder, *others):
    options = (
        "--side 96 --crops 1 --workers 0 --steps 4 --decay-steps 2 --start-from none --precision float32"
    )
    monkeypatch.setattr("sys.argv", ["train", "--folder", str(folder), *options.split(), *others])
    run = tool.Run(tool.read_arguments())
    monkeypatch.setattr(run, "evaluate", lambda: None)
    monkeypatch.setattr(tool.signal, "signal", lambda *_: None)
    run.resume()
    return run


def test_a_run_that_was_stopped_and_resumed_ends_like_an_uninterrupted_one(tool, monkeypatch, tmp_path):
    whole = run_of(tool, monkeypatch, tmp_path / "whole")
    whole.train()
    first = run_of(tool, monkeypatch, tmp_path / "parts")
    first.stop()  # as a signal does: the step that runs is the last one
    first.train()
    assert first.step == 1
    second = run_of(tool, monkeypatch, tmp_path / "parts")
    assert second.step == 1
    second.train()
    assert second.step == whole.step == 4
    for ours, theirs in ((second.sam, whole.sam), (second.average, whole.average)):
        for name, weight in ours.state_dict().items():
            assert torch.equal(weight, theirs.state_dict()[name]), name


def test_a_run_whose_time_is_over_stops(tool, monkeypatch, tmp_path):
    run = run_of(tool, monkeypatch, tmp_path, "--minutes", "0.00001")
    run.train()
    assert run.step == 1
    assert (tmp_path / "checkpoint.pt").exists()


def test_a_source_cannot_be_trained_on_and_held_out(tool, monkeypatch, tmp_path):
    options = ["--objects", str(tmp_path), "--sources", "a", "b", "--held-out", "b"]
    with pytest.raises(SystemExit, match="b"):
        run_of(tool, monkeypatch, tmp_path, *options)


def test_the_best_average_is_exported_and_every_source_is_logged(tool, monkeypatch, tmp_path):
    run = run_of(tool, monkeypatch, tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(tool, "scene_questions", lambda count: list(_first(count)))
    run.evaluate()
    assert (tmp_path / "best.safetensors").exists()
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert [line.split(",")[2] for line in lines] == ["source", "plain_scenes", "xray_scenes"]


def _first(_):
    from samcarry.sam.small.validation import scene_questions

    return scene_questions(1, objects=1)


def test_a_training_can_go_on_from_the_weights_of_an_earlier_one(tool):
    weights = Path(__file__).parents[4] / "resources/small_sam.safetensors"
    fresh = build_small_sam(96)
    tool.start_from(fresh, weights)
    expected = load_sam("small", weights).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in fresh.state_dict().items())
