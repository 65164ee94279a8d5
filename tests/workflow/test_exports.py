"""Exports of a finished run: masks at the size of the images, a model card, and ONNX."""

import json

import numpy as np
import onnxruntime
from PIL import Image

from samcarry.images.masks import read_mask

ROOT = "results/demo/n3/seed0"
FORMATS = ["png", "labelmap", "nifti", "coco", "cvat", "overlay"]


def test_masks_model_card_and_onnx_are_exported_from_a_finished_run(copy_of_finished):
    project = copy_of_finished
    project.configure(export={"formats": FORMATS})
    products = ("export/ours_r/export.json", "f_phi/model_card.md", "f_phi/model.onnx")
    outcome = project.run(*(f"{ROOT}/{product}" for product in products))
    assert outcome.returncode == 0, outcome.stdout
    assert "train_" not in outcome.stdout

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

    card = project.read(f"{ROOT}/f_phi/model_card.md")
    assert "on the 2 images of the test split" in card

    session = onnxruntime.InferenceSession(project.folder / ROOT / "f_phi/model.onnx")
    (probabilities,) = session.run(None, {"images": np.zeros((2, 32, 32), np.uint8)})
    assert probabilities.shape == (2, len(record["classes"]), 32, 32)
