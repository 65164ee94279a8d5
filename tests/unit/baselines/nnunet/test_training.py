"""The comparison with nnU-Net: nnunetv2 itself, overlapping classes, kills, from plan to prediction."""

import dataclasses
import json
import logging
import math
import multiprocessing.process
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from samcarry.baselines.nnunet import training
from samcarry.baselines.nnunet.environment import NAME, Plan, set_environment
from samcarry.baselines.nnunet.planning import Planning, make_plan
from samcarry.baselines.nnunet.prediction import load_nnunet, predict
from samcarry.baselines.nnunet.training import NnunetSettings, save_nnunet, train
from samcarry.errors import DamagedError, InputError
from samcarry.networks.training_data import TrainingData
from support.paths import SCRIPTS

CLASSES = ("left", "right", "ring", "never")
SETTINGS = NnunetSettings(epochs=2, iterations_per_epoch=2, validation_iterations=1, mirroring=True)
SHORT = NnunetSettings(epochs=1, iterations_per_epoch=1, validation_iterations=1, mirroring=False)


def pictures(count, size=64):
    """Two bars that never overlap, a square over both, a class that never occurs; the upper half is black."""
    masks = np.zeros((count, len(CLASSES), size, size), bool)
    masks[:, 0, :, 4 : size // 2] = True
    masks[:, 1, :, size // 2 : size - 4] = True
    masks[:, 2, size // 4 : -size // 4, size // 4 : -size // 4] = True
    noise = np.random.default_rng(0).integers(0, 40, (count, size, size))
    images = noise + 60 * masks[:, 0] + 100 * masks[:, 1] + 50 * masks[:, 2]
    images[:, : size // 2] = 0
    return TrainingData(images.astype(np.uint8), masks)


def plan_of(folder, data, max_batch_size=2):
    names = [f"case {number}" for number in range(len(data.images))]
    return make_plan(data, names, CLASSES, Planning(8, max_batch_size), folder, threads=1)


def fit(planned, work, *, settings=SETTINGS, seed=0, fingerprint="ours"):
    folder, plan = planned
    return train(plan, settings, folder, work, seed=seed, device="cpu", threads=1, workers=0,
                 fingerprint=fingerprint)  # fmt: skip


def assert_same(weights, others):
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nnunet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiprocessing.process.BaseProcess, "start", no_process)
        return folder, plan_of(folder, pictures(4))


def no_process(self):
    raise AssertionError("planning started a process, which would outlive a killed job")


@pytest.fixture(scope="module")
def straight(planned, tmp_path_factory):
    """The weights of a training that nothing disturbed."""
    return fit(planned, tmp_path_factory.mktemp("straight") / "work")


def model(path, planned, weights, settings=SETTINGS):
    save_nnunet(path, weights, planned[1], settings, {"made_by": {"rule": "train_nnunet"}})
    return load_nnunet(path, "cpu", 1)


# ---- planning -------------------------------------------------------------------------------


def test_nothing_is_cut_away_where_the_image_is_black(planned):
    folder, plan = planned
    assert plan.plans["original_median_shape_after_transp"] == [1, 64, 64]
    assert plan.plans["configurations"]["2d"]["use_mask_for_norm"] == [False]
    stored = np.array([np.load(file, allow_pickle=True)["shape_after_cropping_and_before_resampling"]
                       for file in sorted((folder / "preprocessed" / NAME).glob("*/*.pkl"))])  # fmt: skip
    np.testing.assert_array_equal(stored, [[1, 64, 64]] * 4)


def test_the_plan_names_cases_and_classes_and_no_path_of_this_machine(planned):
    folder, plan = planned
    assert plan.classes == CLASSES
    assert plan.dataset["samcarry"]["cases"] == [f"case {number}" for number in range(4)]
    assert str(folder) not in json.dumps([plan.plans, plan.dataset])


def test_other_labels_give_another_digest(planned, tmp_path):
    data = pictures(4)
    data.masks[3, 2] = False
    other = plan_of(tmp_path, data, max_batch_size=1)
    assert other.plans["configurations"]["2d"]["batch_size"] == 1
    assert other.dataset["samcarry"]["content"] != planned[1].dataset["samcarry"]["content"]


def test_a_plan_replaces_what_was_there(tmp_path):
    for count in (2, 1):
        plan = plan_of(tmp_path, pictures(count, size=32))
    assert len(plan.dataset["dataset"]) == 1
    assert len(list((tmp_path / "raw" / NAME).glob("*_0000.png"))) == 1
    assert len(list((tmp_path / "preprocessed" / NAME).glob("*/*.pkl"))) == 1


# ---- training -------------------------------------------------------------------------------


def test_the_loss_is_binary_cross_entropy_alone(planned, tmp_path):
    set_environment(planned[0], tmp_path, threads=1, workers=0)
    trainer = training._trainer(planned[1], SETTINGS, 0, "cpu")
    target = torch.rand(1, 4, 8, 8, generator=torch.manual_seed(0)) > 0.5
    scales = len(trainer._get_deep_supervision_scales())
    assert trainer.loss([torch.zeros(1, 4, 8, 8)] * scales, [target] * scales) == pytest.approx(math.log(2))
    sure = [(target * 2.0 - 1) * 3] * scales
    assert trainer.loss(sure, [target] * scales) == pytest.approx(math.log1p(math.exp(-3)), rel=1e-5)


def kill_in_epoch(monkeypatch, epoch):
    """Make the next training die as it begins an epoch."""
    from samcarry.baselines.nnunet.trainer import BCETrainer

    start = BCETrainer.on_train_epoch_start

    def dying(self):
        if self.current_epoch == epoch:
            raise KeyboardInterrupt
        start(self)

    monkeypatch.setattr(BCETrainer, "on_train_epoch_start", dying)


def leave_checkpoint(planned, work, monkeypatch, fingerprint="ours"):
    with monkeypatch.context() as patch:
        kill_in_epoch(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            fit(planned, work, fingerprint=fingerprint)
    return next(work.rglob("checkpoint_latest.pth"))


def test_a_killed_and_resumed_training_is_the_one_that_was_never_killed(
    planned, straight, tmp_path, monkeypatch, caplog
):
    leave_checkpoint(planned, tmp_path / "work", monkeypatch)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert_same(fit(planned, tmp_path / "work"), straight)
    assert any("going on from epoch 1" in message for message in caplog.messages)
    assert not any(message.startswith("epoch 1 of 2") for message in caplog.messages)
    assert any(message.startswith("epoch 2 of 2, loss") for message in caplog.messages)


def test_a_training_killed_after_its_end_is_not_repeated(planned, straight, tmp_path, monkeypatch):
    fit(planned, tmp_path / "work")
    kill_in_epoch(monkeypatch, 0)
    assert_same(fit(planned, tmp_path / "work"), straight)


def test_a_checkpoint_of_another_fingerprint_is_not_taken_up(
    planned, straight, tmp_path, monkeypatch, caplog
):
    leave_checkpoint(planned, tmp_path / "work", monkeypatch, "other data")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert_same(fit(planned, tmp_path / "work"), straight)
    assert any("starting anew" in message for message in caplog.messages)
    assert any(message.startswith("epoch 1 of 2") for message in caplog.messages)


def test_a_truncated_checkpoint_is_not_taken_up(planned, straight, tmp_path, monkeypatch):
    checkpoint = leave_checkpoint(planned, tmp_path / "work", monkeypatch)
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert_same(fit(planned, tmp_path / "work"), straight)


def test_another_seed_gives_another_network(planned, straight, tmp_path):
    weights = fit(planned, tmp_path / "work", settings=SHORT, seed=1)
    assert not torch.equal(weights["encoder.stages.0.0.convs.0.conv.weight"],
                           straight["encoder.stages.0.0.convs.0.conv.weight"])  # fmt: skip


@pytest.mark.parametrize("fault", ["deleted", "another plan"])
def test_preprocessed_data_that_are_gone_are_told_in_one_line(planned, tmp_path, fault):
    folder, plan = planned
    if fault == "deleted":
        folder = tmp_path / "gone"
    else:
        plan = Plan(plan.plans, {**plan.dataset, "samcarry": {}})
    with pytest.raises(InputError, match=r"Delete the folder .* run the same command again") as caught:
        fit((folder, plan), tmp_path / "work")
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_workers_die_with_a_training_that_is_killed(planned, tmp_path):
    folder, plan = planned
    (tmp_path / "plan.json").write_text(json.dumps(dataclasses.asdict(plan)))
    code = (
        "import json, sys; from pathlib import Path\n"
        "from samcarry.baselines.nnunet.environment import Plan\n"
        "from samcarry.baselines.nnunet.training import NnunetSettings, train\n"
        "plan = Plan(**json.loads(Path(sys.argv[1], 'plan.json').read_text()))\n"
        "train(plan, NnunetSettings(10000, 1, 1, True), Path(sys.argv[2]), Path(sys.argv[1], 'work'),\n"
        "      seed=0, device='cpu', threads=1, workers=2, fingerprint='')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        wait_until(lambda: process.poll() is not None or [*tmp_path.rglob("checkpoint_latest.pth")])
        assert len(in_session(process.pid)) > 2
        process.kill()
        process.wait()
        wait_until(lambda: not in_session(process.pid), seconds=10)
    finally:
        for survivor in in_session(process.pid):
            os.kill(survivor, signal.SIGKILL)


def wait_until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def in_session(session):
    """Processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it ended meanwhile
            continue
        if int(of) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


# ---- prediction -----------------------------------------------------------------------------


def test_probabilities_have_the_shape_of_the_images(planned, straight, tmp_path):
    predictor, about = model(tmp_path / "model.safetensors", planned, straight)
    values = predict(predictor, pictures(3).images)
    assert about["classes"] == list(CLASSES)
    assert about["cases"] == planned[1].dataset["samcarry"]["cases"]
    assert values.shape == (3, 4, 64, 64)
    assert values.dtype == np.uint8
    assert values.min() < values.max()


def test_an_overlap_that_no_training_case_has_can_be_predicted(planned, straight, tmp_path):
    """The bars never overlapped: no label code stands for both, and yet both outputs can say yes."""
    head = max(name for name in straight if name.startswith("decoder.seg_layers.") and name.endswith("bias"))
    sure = {**straight, head: torch.tensor([9.0, 9.0, -9.0, -9.0])}
    sure[head.replace("bias", "weight")] = torch.zeros_like(straight[head.replace("bias", "weight")])
    values = predict(model(tmp_path / "model.safetensors", planned, sure)[0], pictures(1).images)
    assert [np.unique(channel).tolist() for channel in values[0]] == [[255], [255], [0], [0]]


@pytest.mark.parametrize("mirroring", [True, False])
def test_mirroring_makes_predictions_the_same_for_a_mirrored_image(planned, straight, tmp_path, mirroring):
    settings = dataclasses.replace(SETTINGS, mirroring=mirroring)
    predictor, _ = model(tmp_path / "model.safetensors", planned, straight, settings)
    images = pictures(1).images
    difference = predict(predictor, images[..., ::-1])[..., ::-1].astype(int) - predict(predictor, images)
    # Not to the last bit: nnU-Net adds its logits up in 16 bits.
    assert (np.abs(difference).mean() < 0.5) == mirroring


def test_one_case_whose_classes_never_overlap_is_enough(tmp_path):
    data = pictures(1, size=32)
    data.masks[:, 2] = False
    planned = (tmp_path, plan_of(tmp_path, data))
    weights = fit(planned, tmp_path / "work", settings=SHORT)
    predictor, _ = model(tmp_path / "model.safetensors", planned, weights, SHORT)
    assert predict(predictor, data.images).shape == (1, 4, 32, 32)


@pytest.mark.parametrize("fault", ["missing", "truncated", "weights of another network"])
def test_a_model_that_cannot_be_read_is_told_in_one_line(planned, straight, tmp_path, fault):
    path = tmp_path / "model.safetensors"
    if fault != "missing":
        weights = dict(list(straight.items())[fault.startswith("weights") :])
        save_nnunet(path, weights, planned[1], SETTINGS, {})
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DamagedError, match=r"no nnU-Net of samcarry") as caught:
        load_nnunet(path, "cpu", 1)
    assert "\n" not in str(caught.value)
