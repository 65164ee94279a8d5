"""The U-Net has the paper's size, trains as its layers do, and is unchanged after writing and reading."""

from copy import deepcopy

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from samcarry.errors import InputError
from samcarry.networks.unet import UNet, load_unet, save_unet

METADATA = {"classes": ["Radius", "Ulna"], "size": [8, 16], "mean": 0.35, "std": 0.22}


def small(seed=0):
    torch.manual_seed(seed)
    return UNet(2, width=4, depth=2).eval()


def refused(path):
    """The error message for a file: one line that names it."""
    with pytest.raises(InputError) as caught:
        load_unet(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_width_64_and_depth_4_are_the_papers_31_million_parameters():
    with torch.device("meta"):
        network = UNet(17)
    assert 30.9e6 < sum(parameter.numel() for parameter in network.parameters()) < 31.2e6


def test_channels_double_from_64_to_1024():
    with torch.device("meta"):
        network = UNet(17)
    assert [block[0].out_channels for block in network.encoder] == [64, 128, 256, 512, 1024]


def test_there_is_one_logit_per_class_at_full_resolution():
    network = UNet(3, width=4, depth=3)
    assert network(torch.zeros(2, 1, 16, 24)).shape == (2, 3, 16, 24)


def test_classes_may_overlap():
    network = small()
    with torch.no_grad():
        network.head.bias.fill_(50.0)
        logits = network(torch.zeros(1, 1, 8, 8))
    assert (logits.sigmoid() > 0.5).all()


def test_the_network_sees_across_its_depth():
    network = small()
    image = torch.zeros(1, 1, 16, 16)
    changed = image.clone()
    changed[..., 0, 0] = 5.0
    with torch.no_grad():
        difference = network(changed) - network(image)
    assert difference[..., 4:, 4:].abs().max() > 0


def block_and_its_layers(seed=0):
    """Two convolutions of a network in training, with arbitrary norms; and the same layers in turn."""
    torch.manual_seed(seed)
    block = UNet(2, width=5, depth=1).encoder[1].train()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return block, nn.Sequential(*deepcopy(list(block)))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("samples", [1, 2, 5, 16])
def test_a_training_computes_what_the_layers_in_turn_do_bit_for_bit(samples, precision):
    found = []
    for layers in block_and_its_layers(samples):
        x = torch.randn(samples, 5, 12, 20, generator=torch.Generator().manual_seed(1), requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            y = layers(x)
        (y.float() ** 3).sum().backward()
        found.append([y.detach(), x.grad, *(parameter.grad for parameter in layers.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def steps_backward(output):
    """Names of all steps of the backward pass."""
    waiting, seen = [output.grad_fn], set()
    while waiting:
        step = waiting.pop()
        if step is not None and step not in seen:
            seen.add(step)
            waiting.extend(one for one, _ in step.next_functions)
    return {step.name().split("::")[-1] for step in seen}


def test_a_training_does_not_copy_gradients_for_a_relu_in_place():
    block, layers = block_and_its_layers()
    x = torch.randn(2, 5, 8, 8)
    assert "CopySlices" in steps_backward(layers(x))
    assert "CopySlices" not in steps_backward(block(x))


def test_a_trained_network_predicts_by_its_layers():
    block, _ = block_and_its_layers()
    called = []
    for layer in block:
        layer.register_forward_hook(lambda layer, *_: called.append(type(layer).__name__))
    with torch.no_grad():
        block.eval()(torch.randn(2, 5, 8, 8))
    assert called == ["Conv2d", "InstanceNorm2d", "LeakyReLU"] * 2


def test_a_saved_network_gives_the_same_output(tmp_path):
    network = small()
    save_unet(tmp_path / "model.safetensors", network, METADATA)
    back, _ = load_unet(tmp_path / "model.safetensors")
    image = torch.randn(1, 1, 8, 16)
    with torch.no_grad():
        assert torch.equal(back(image), network(image))


def test_metadata_are_read_with_the_weights(tmp_path):
    save_unet(tmp_path / "model.safetensors", small(), {**METADATA, "classes": ["Zähne", "Ⅴ"]})
    _, metadata = load_unet(tmp_path / "model.safetensors")
    assert metadata == {**METADATA, "classes": ["Zähne", "Ⅴ"], "width": 4, "depth": 2}


def test_a_loaded_network_is_in_evaluation_mode(tmp_path):
    save_unet(tmp_path / "model.safetensors", small().train(), METADATA)
    assert not load_unet(tmp_path / "model.safetensors")[0].training


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_unet(tmp_path / name, small(), METADATA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_model_is_refused(tmp_path):
    refused(tmp_path / "none.safetensors")


def test_a_flipped_bit_in_the_weights_is_found(tmp_path):
    path = tmp_path / "model.safetensors"
    save_unet(path, small(), METADATA)
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    assert "content has changed" in refused(path)


@pytest.mark.parametrize("keep", [0, 5, 200, 5000])
def test_a_truncated_model_is_refused(tmp_path, keep):
    path = tmp_path / "model.safetensors"
    save_unet(path, small(), METADATA)
    path.write_bytes(path.read_bytes()[:keep])
    assert "damaged" in refused(path)


def test_weights_that_do_not_fit_their_description_are_refused_in_one_line(tmp_path):
    path = tmp_path / "model.safetensors"
    save_unet(path, small(), {**METADATA, "classes": ["only one"]})
    refused(path)


@pytest.mark.parametrize(
    "metadata", [None, {"model": "tiny"}, {"samcarry": "no json"}, {"samcarry": "{}"}, {"samcarry": "[]"}]
)
def test_safetensors_of_another_kind_are_refused(tmp_path, metadata):
    path = tmp_path / "model.safetensors"
    save_file({"x": torch.zeros(2)}, path, metadata)
    refused(path)
