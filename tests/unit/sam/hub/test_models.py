"""True shapes, imports that take long, and what else uses a SAM whose embeddings have several levels."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from samcarry.adaptation.adapt import AdaptationSettings, adapt
from samcarry.adaptation.labelled_images import labelled_image
from samcarry.annotate.parts import decoder_weights
from samcarry.errors import InputError
from samcarry.networks.training_loop import Checkpoint
from samcarry.sam.checkpoints import BUILDERS, load_sam
from samcarry.sam.embedding import embed, open_embeddings, write_embeddings
from samcarry.sam.encoder import embedding_shape
from samcarry.sam.hub.models import CONFIGS
from samcarry.sam.own_models import EMBEDDING_BYTES, LATER_MODELS
from support.hub_models import KINDS, reference, use_small_architectures, write_folder
from support.paths import ROOT
from support.sam_predictor import five_masks

MILLIONS = {
    "sam2.1_tiny": 31,
    "sam2.1_small": 39,
    "sam2.1_base_plus": 73,
    "sam2.1_large": 217,
    "sam_hq_vit_b": 95,
    "sam_hq_vit_l": 314,
    "sam_hq_vit_h": 643,
    "sam3_tracker": 458,
}


@pytest.mark.parametrize("model", LATER_MODELS)
def test_the_true_shapes(model):
    with torch.device("meta"):
        sam = BUILDERS[model]()
    assert round(sum(tensor.numel() for tensor in sam.parameters()) / 1e6) == MILLIONS[model]
    assert 2 * np.prod(embedding_shape(sam)) == EMBEDDING_BYTES[model]
    assert sam.image_encoder.img_size == (1008 if model == "sam3_tracker" else 1024)


@pytest.mark.parametrize("model", [name for name in CONFIGS if name != "sam3_tracker"])
def test_the_shapes_are_those_of_transformers(model):
    from transformers import Sam2Config, Sam2Model

    with torch.device("meta"):
        theirs, ours = Sam2Model(Sam2Config(**CONFIGS[model])), BUILDERS[model]()
    shared = theirs.shared_image_embedding.positional_embedding.numel()
    assert sum(t.numel() for t in theirs.state_dict().values()) - shared == sum(
        t.numel() for name, t in ours.state_dict().items()
    )


def test_only_models_that_need_transformers_import_it():
    code = (
        "import importlib, pkgutil, sys\n"
        "import samcarry\n"
        "for module in pkgutil.walk_packages(samcarry.__path__, 'samcarry.'):\n"
        "    if module.name != 'samcarry.__main__':\n"
        "        importlib.import_module(module.name)\n"
        "from samcarry.sam.checkpoints import BUILDERS, load_sam\n"
        "load_sam('tiny', 'resources/tiny_sam.safetensors')\n"
        "BUILDERS['sam_hq_vit_b']\n"
        "sys.exit('transformers' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(ROOT / "scripts"), "PATH": ""}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=300)


@pytest.fixture(params=KINDS)
def sam(request, tmp_path, monkeypatch):
    use_small_architectures(monkeypatch)
    return load_sam(request.param, write_folder(tmp_path / "model", reference(request.param)))


def test_embeddings_are_stored_and_read(sam, image, tmp_path):
    made = embed(sam, image)
    write_embeddings(tmp_path / "e.safetensors", ["a"], [made], {})
    with open_embeddings(tmp_path / "e.safetensors") as embedding_of:
        assert torch.equal(embedding_of("a"), made)


def test_the_decoder_is_tuned_with_cached_embeddings(sam, image, tmp_path):
    settings = AdaptationSettings(
        iterations=4,
        iterations_per_epoch=2,
        learning_rate=1e-3,
        final_learning_rate=1e-5,
        precision="float32",
        compile=False,
        batch_size=2,
        scored=2,
    )
    images = [labelled_image(image, five_masks()), labelled_image(image[:60], five_masks()[:, :60])]
    before = {name: tensor.clone() for name, tensor in sam.state_dict().items()}
    (tmp_path / "scratch").mkdir()
    tuned, curve, scores = adapt(
        sam,
        images,
        None,
        settings,
        whole=False,
        seed=0,
        checkpoint=Checkpoint(tmp_path / "checkpoint.pt", 600, ""),
        scratch=tmp_path / "scratch",
    )
    after = tuned.state_dict()
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed
    assert all(name.startswith("mask_decoder.") for name in changed)
    assert all(torch.equal(tensor, before[name]) for name, tensor in sam.state_dict().items())
    assert np.isfinite([step.loss for step in curve]).all()
    assert scores == []


def test_the_annotation_page_says_that_it_cannot_use_it(sam):
    if hasattr(sam.mask_decoder, "finer"):
        with pytest.raises(InputError, match="annotation page cannot draw"):
            decoder_weights(sam)
    else:
        assert decoder_weights(sam).about["side"] == sam.image_encoder.img_size
