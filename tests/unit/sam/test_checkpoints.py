"""SAM checkpoints: the right one is loaded, any other is reported in one clear line."""

import contextlib

import pytest
import torch
from safetensors.torch import save_file

from samcarry.errors import InputError
from samcarry.sam import checkpoints
from samcarry.sam.checkpoints import BUILDERS, load_sam, save_sam
from samcarry.storage.files import sha256
from samcarry.storage.tensors import read_tensor_metadata

OFFICIAL = ("vit_b", "vit_l", "vit_h")


def stand_in(model):
    """A state dict with the true shapes, in which every tensor is one stored zero, expanded."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in BUILDERS[model]().state_dict().items()}
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


def refused(model, path, digest=None):
    """The error message for a checkpoint: one line that names the file."""
    with pytest.raises(InputError) as caught:
        load_sam(model, path, digest)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_tiny_checkpoint_is_the_same_after_a_round_trip(tmp_path, sam):
    path = tmp_path / "tiny.safetensors"
    save_sam("tiny", path, sam, {"steps": "3"})
    back = load_sam("tiny", path, sha256(path))
    rounded = {name: tensor.half().float() for name, tensor in sam.state_dict().items()}
    assert all(torch.equal(back.state_dict()[name], rounded[name]) for name in rounded)


def test_equal_sams_have_equal_bytes(tmp_path, sam):
    """safetensors writes metadata in an order that changes from one call to the next."""
    metadata = {name: name for name in "hgfedcba"}
    contents = set()
    for number in range(5):
        path = tmp_path / f"{number}.safetensors"
        save_sam("tiny", path, sam, metadata)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    found = read_tensor_metadata(path)
    assert list(found) == sorted({"model": "", **metadata})
    assert found["model"] == "tiny"


def test_a_loaded_sam_is_in_evaluation_mode_and_frozen(tmp_path, sam):
    save_sam("tiny", tmp_path / "tiny.safetensors", sam, {})
    back = load_sam("tiny", tmp_path / "tiny.safetensors")
    assert not back.training
    assert not any(parameter.requires_grad for parameter in back.parameters())


def test_a_tiny_checkpoint_of_half_precision_runs_in_single(tmp_path, sam):
    save_sam("tiny", tmp_path / "tiny.safetensors", sam, {})
    back = load_sam("tiny", tmp_path / "tiny.safetensors")
    assert {parameter.dtype for parameter in back.parameters()} == {torch.float32}


def test_an_official_vit_b_loads(tmp_path):
    state = stand_in("vit_b")
    name = "mask_decoder.iou_token.weight"
    state[name] = torch.arange(256.0)[None]
    torch.save(state, tmp_path / "sam_vit_b.pth")
    loaded = load_sam("vit_b", tmp_path / "sam_vit_b.pth")
    assert torch.equal(loaded.state_dict()[name], state[name])
    assert loaded.image_encoder.img_size == 1024


def test_a_missing_checkpoint_is_reported(tmp_path):
    message = refused("vit_h", tmp_path / "none.pth")
    assert "'vit_h'" in message
    assert "sam.models" in message


def test_a_wrong_hash_is_reported_with_both_hashes(tmp_path, sam):
    path = tmp_path / "tiny.safetensors"
    save_sam("tiny", path, sam, {})
    message = refused("tiny", path, "0" * 64)
    assert "0" * 64 in message
    assert sha256(path) in message


def test_the_hash_is_checked_before_the_file_is_read(tmp_path, monkeypatch):
    path = tmp_path / "sam.pth"
    path.write_bytes(b"anything")
    monkeypatch.setattr(checkpoints, "_read_state", lambda file: pytest.fail("was read"))
    refused("vit_b", path, "0" * 64)


@pytest.mark.parametrize("name", ["sam_vit_b.pth", "tiny.safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"<!DOCTYPE html><html>Sign in</html>\n" * 50, b"PK\x03\x04" + b"x" * 99]
)
def test_a_web_page_or_a_torn_download_under_the_name_of_a_checkpoint_is_reported(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert "download the file again" in refused("vit_b", tmp_path / name)


def test_a_truncated_checkpoint_is_reported(tmp_path):
    path = tmp_path / "sam_vit_b.pth"
    torch.save({"x": torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:-500])
    refused("vit_b", path)


class Evil:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_dangerous_pickle_is_refused_and_not_executed(tmp_path, zipped):
    path = tmp_path / "sam_vit_b.pth"
    evil = {"image_encoder.pos_embed": Evil(tmp_path / "executed")}
    torch.save(evil, path, _use_new_zipfile_serialization=zipped)
    refused("vit_b", path)
    assert not (tmp_path / "executed").exists()


def test_the_dangerous_pickle_of_these_tests_is_dangerous(tmp_path):
    torch.save(Evil(tmp_path / "executed"), tmp_path / "evil.pth")
    with contextlib.closing(torch.load(tmp_path / "evil.pth", weights_only=False)):
        assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("wrapped", [{"model": {"x": torch.ones(1)}}, [torch.ones(1)], torch.ones(1)])
def test_other_content_than_a_plain_state_dict_is_reported(tmp_path, wrapped):
    torch.save(wrapped, tmp_path / "sam.pth")
    assert "not a plain SAM state dict" in refused("vit_b", tmp_path / "sam.pth")


@pytest.mark.parametrize("claimed", OFFICIAL)
def test_a_tiny_file_under_an_official_name_is_reported_with_the_model_that_fits(tmp_path, sam, claimed):
    path = tmp_path / f"sam_{claimed}.safetensors"
    save_sam("tiny", path, sam, {})
    message = refused(claimed, path)
    assert f"not the weights of '{claimed}'" in message
    assert "They fit 'tiny'" in message


@pytest.mark.parametrize("true", OFFICIAL)
def test_an_official_file_under_the_name_of_the_tiny_one_is_reported_with_the_model_that_fits(tmp_path, true):
    torch.save(stand_in(true), tmp_path / "tiny.pth")
    message = refused("tiny", tmp_path / "tiny.pth")
    assert f"They fit '{true}'" in message


@pytest.mark.parametrize(("claimed", "true"), [("vit_h", "vit_b"), ("vit_b", "vit_l"), ("vit_l", "vit_h")])
def test_official_variants_are_distinguished(tmp_path, claimed, true):
    torch.save(stand_in(true), tmp_path / "sam.pth")
    message = refused(claimed, tmp_path / "sam.pth")
    assert f"not the weights of '{claimed}'" in message
    assert f"They fit '{true}'" in message


def test_weights_of_another_network_are_reported(tmp_path):
    save_file({"head.weight": torch.ones(2, 2)}, tmp_path / "unet.safetensors")
    assert "They fit none of tiny, small, vit_b, vit_l, vit_h" in refused(
        "tiny", tmp_path / "unet.safetensors"
    )


def test_one_missing_tensor_is_noticed(tmp_path, sam):
    state = {name: tensor.contiguous() for name, tensor in sam.state_dict().items()}
    state.popitem()
    save_file(state, tmp_path / "tiny.safetensors")
    assert "not the weights of 'tiny'" in refused("tiny", tmp_path / "tiny.safetensors")
