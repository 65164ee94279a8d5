"""A released model has the same weights and gives the same masks, and no name is left in its bytes."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from samcarry.cli import main
from samcarry.data.manifest import ManifestRow
from samcarry.errors import InputError
from samcarry.images.training_look import measure_look
from samcarry.networks.unet import load_unet
from samcarry.predict.model_card import model_card
from samcarry.predict.models import load_model
from samcarry.predict.release import release
from samcarry.storage.files import sha256
from support.tiny_models import METADATA, save_tiny_model

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 16, 32), np.uint8)
NAMES = ["Müller_Erna", "0815-left", "mueller", "data/clinic", "clinic", "/home/jane", "someone's note"]
ABOUT = {
    "cases": ["Müller_Erna", "0815-left"],
    "positive_weight": [2.0, 3.0],
    "training_look": measure_look([IMAGES]),
    "made_by": {
        "rule": "train_f_phi",
        "wildcards": {"dataset": "clinic", "n": "2", "seed": "7"},
        "inputs": {"results/clinic/prepared/Müller_Erna.nii.gz": "abc", "/home/jane/x.json": "def"},
        "params": {
            "cases": ["Müller_Erna", "0815-left", "mueller"],
            "training": {"iterations": 30, "width": 4, "note": "someone's note"},
            "folder": "data/clinic",
        },
        "versions": {"torch": "2.0"},
    },
    "later": {"Müller_Erna": ["0815-left"]},
}


@pytest.fixture
def model(tmp_path):
    (tmp_path / "given").mkdir()
    return save_tiny_model(tmp_path / "given/model.safetensors", **ABOUT)


def test_no_name_is_left_in_its_bytes(model, tmp_path):
    assert all(name in model.read_bytes().decode("utf-8", "replace") for name in NAMES)
    removed = release(model, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "model.safetensors",
        "model_card.md",
    ]
    for file in (tmp_path / "out").iterdir():
        content = file.read_bytes()
        for name in NAMES:
            assert name.encode() not in content, (file, name)
            assert json.dumps(name)[1:-1].encode() not in content, (file, name)
    assert sorted(removed) == [
        "cases: 2 texts",
        "later: 2 texts",
        "made_by.inputs: 4 texts",
        "made_by.params.cases: 3 texts",
        "made_by.params.folder: 1 text",
        "made_by.params.training: 2 texts",
        "made_by.wildcards: 6 texts",
    ]


def test_the_weights_and_all_that_prediction_needs_are_unchanged(model, tmp_path):
    release(model, tmp_path / "out")
    before, after = load_file(model), load_file(tmp_path / "out/model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    old, new = load_model(model, "cpu"), load_model(tmp_path / "out/model.safetensors", "cpu")
    np.testing.assert_array_equal(old.predict(IMAGES), new.predict(IMAGES))
    for name in ("classes", "size", "mean", "std", "window", "mirrored"):
        assert getattr(old, name) == getattr(new, name)
    assert new.training_look.images == 6
    _, metadata = load_unet(tmp_path / "out/model.safetensors")
    assert metadata["training"] == {
        "rule": "train_f_phi",
        "labelled": 2,
        "trained_on": 3,
        "seed": 7,
        "settings": {"iterations": 30, "width": 4},
        "versions": {"torch": "2.0"},
    }


def test_a_released_model_can_be_released_again(model, tmp_path, capsys):
    assert main(["release", str(model), str(tmp_path / "out")]) == 0
    assert "removed made_by.inputs: 4 texts" in capsys.readouterr().err
    assert main(["release", str(tmp_path / "out/model.safetensors"), str(tmp_path / "again")]) == 0
    assert "it had no names" in capsys.readouterr().err
    first, second = (tmp_path / folder / "model.safetensors" for folder in ("out", "again"))
    assert first.read_bytes() == second.read_bytes()


def write_card(model, note=""):
    """A card of METADATA's classes, with 3 test images, and a person's note in its table of scores."""
    rows = [ManifestRow(str(number), "", "test", "", None, "", "", ()) for number in range(3)]
    about = {**METADATA, **ABOUT, "width": 4, "depth": 2}
    scores = {"Zähne": [0.5, 0.7], "b": [0.25]}
    card = model_card(
        about, dataset="clinic", method="ours_r", rows=rows, scores=scores, sha256=sha256(model)
    )
    model.with_name("model_card.md").write_text(card.replace("| b ", f"| Müller_Erna | 9 | 1 |\n| b{note} "))


def test_the_scores_of_its_card_are_kept_and_nothing_else(model, tmp_path):
    write_card(model)
    release(model, tmp_path / "out")
    card = (tmp_path / "out/model_card.md").read_text()
    assert "on the 3 images of the test split, which were not used for training.\n" in card
    assert [line.split("|")[1].strip() for line in card.splitlines() if " 60.0 ± 14.1 " in line] == ["Zähne"]
    assert "| **mean over classes** | 42.5" in card
    assert sha256(tmp_path / "out/model.safetensors") in card
    assert sha256(model) in card
    assert not [name for name in NAMES if name in card]


def test_the_card_of_another_model_is_not_used(model, tmp_path):
    write_card(model)
    save_tiny_model(model, **{**ABOUT, "mean": 0.5})
    release(model, tmp_path / "out")
    assert "its scores are not known" in (tmp_path / "out/model_card.md").read_text()


def test_an_existing_folder_is_refused(model, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="already exists; choose another folder"):
        release(model, tmp_path / "out")


@pytest.mark.parametrize("name", ["m.onnx", "gone.safetensors", "bad.safetensors"])
def test_what_is_not_a_model_is_refused_in_one_line(tmp_path, name, capsys):
    (tmp_path / "bad.safetensors").write_bytes(b"no model")
    assert main(["release", str(tmp_path / name), str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert name in error
    assert not (tmp_path / "out").exists()
