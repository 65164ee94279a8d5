"""Exports of a finished run: masks at the size of the images, a model card, and ONNX."""

import json

import numpy as np
import onnxruntime
import torch
from PIL import Image
from safetensors.torch import load_file

from samcarry.images.masks import read_mask
from samcarry.images.preparation import preparation
from samcarry.networks.unet import load_unet
from samcarry.predict.release import release
from support.tiny_project import rows_of

ROOT = "results/demo/n3/seed0"
FORMATS = ["png", "labelmap", "nifti", "coco", "cvat", "overlay"]


def test_masks_model_card_and_onnx_are_exported_from_a_finished_run(copy_of_finished):
    project = copy_of_finished
    project.configure(export={"formats": FORMATS})
    products = ("export/ours_r/export.json", "f_phi/model_card.md", "f_phi/model.onnx")
    outcome = project.run(*(f"{ROOT}/{product}" for product in products), "results/demo/model.html")
    assert outcome.returncode == 0, outcome.stdout
    assert "train_" not in outcome.stdout
    page = project.read("results/demo/model.html")
    assert "<title>demo: masks of an image</title>" in page
    assert not [case for case in rows_of(project.folder / "results/demo/phantom") if case in page]

    folder = project.folder / ROOT / "export/ours_r"
    record = json.loads((folder / "export.json").read_text())
    assert len(record["cases"]) == 3 + 1 + 2 + 4
    for case in record["cases"]:
        with Image.open(project.folder / f"results/demo/phantom/images/{case['case']}.png") as image:
            assert image.size == (case["width"], case["height"]) == (64, 64)
        for file in case["files"]:
            assert (folder / file).is_file()
            if file.startswith("masks/"):
                assert read_mask(folder / file).shape == (64, 64)

    _, about = load_unet(project.folder / ROOT / "f_phi/model.safetensors")
    assert about["preparation"] == preparation(None)
    assert about["training_look"] is None  # four images do not show what is usual
    card = project.read(f"{ROOT}/f_phi/model_card.md")
    assert "on the 2 images of the test split" in card

    session = onnxruntime.InferenceSession(project.folder / ROOT / "f_phi/model.onnx")
    (probabilities,) = session.run(None, {"images": np.zeros((2, 32, 32), np.uint8)})
    assert probabilities.shape == (2, len(record["classes"]), 32, 32)


def test_a_released_model_of_a_run_has_no_names_and_the_scores_of_its_card(copy_of_finished, tmp_path):
    project = copy_of_finished
    folder = project.folder / ROOT / "f_phi"
    outcome = project.run(f"{ROOT}/f_phi/model_card.md")
    assert outcome.returncode == 0, outcome.stdout
    names = [*rows_of(project.folder / "results/demo/phantom"), "results/", "demo/", str(project.folder)]
    given = (folder / "model.safetensors").read_bytes()
    assert sum(name.encode() in given for name in names) > 5
    removed = release(folder / "model.safetensors", tmp_path / "out")
    assert any(line.startswith("made_by.inputs: ") for line in removed)
    for file in (tmp_path / "out").iterdir():
        content = file.read_bytes()
        assert not [name for name in names if name.encode() in content], file
    assert "on the 2 images of the test split" in (tmp_path / "out/model_card.md").read_text()
    before, after = load_file(folder / "model.safetensors"), load_file(tmp_path / "out/model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
