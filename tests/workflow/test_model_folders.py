"""A SAM from a model folder in a whole run, with embeddings that are removed after use."""

import json

import pytest
import torch

from samcarry.sam.hub.models import CONFIGS

NAME = "sam2.1_tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """SAM 2.1 in its true shapes, with random weights, as transformers saves it."""
    from transformers import Sam2Config, Sam2Model

    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = Sam2Model(Sam2Config(**CONFIGS[NAME]))
    shared = model.shared_image_embedding.positional_embedding
    model.prompt_encoder.shared_embedding.positional_embedding.copy_(shared)
    model.save_pretrained(folder)
    return folder


def test_a_run_with_a_model_folder(project, folder):
    sam = {
        "model": "two",
        "embeddings": "temporary",
        "models": {"two": {"model": NAME, "folder": str(folder)}},
    }
    project.configure(methods=["unet_sam"], ablation={"n": []}, sam=sam)
    outcome = project.run()
    assert outcome.returncode == 0, outcome.stdout
    assert "Embeddings by SAM `two` (sam2.1_tiny) take 8.4 MB an image" in outcome.stdout
    results = project.folder / "results/demo"
    assert [file.name for file in (results / "embeddings/two").iterdir()] == ["checkpoint.json"]
    assert json.loads((results / "embeddings/two/checkpoint.json").read_text())["parameters"] > 30e6
    assert (results / "n3/seed0/refined/test-0000.nii.gz").exists()
    assert project.planned() == set()

    config = folder / "config.json"
    content = json.loads(config.read_text())
    content["mask_decoder_config"]["dynamic_multimask_stability_thresh"] = 0.5
    config.write_text(json.dumps(content))
    assert "check_sam" in project.planned()


def test_a_folder_with_pickled_weights_is_refused_in_one_line(project, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "sam2"}))
    (tmp_path / "pytorch_model.bin").write_bytes(b"anything")
    sam = {"model": "two", "models": {"two": {"model": NAME, "folder": str(tmp_path)}}}
    project.configure(methods=["unet_sam"], ablation={"n": []}, sam=sam)
    outcome = project.run("results/demo/embeddings/two/checkpoint.json")
    assert outcome.returncode != 0
    assert "pytorch_model.bin, a pickle, which could run any program" in outcome.stdout
    assert "Traceback" not in outcome.stdout
