"""Official checkpoints: their names, and the models that are loaded from them.

The names are those of the weights of sam2.1_hiera_tiny.pt to sam2.1_hiera_large.pt, as the code in
github.com/facebookresearch/sam2 makes them, with "#" for numbers.
"""

import re

import pytest
import torch

from samcarry.errors import InputError
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.hub.names import from_official, from_transformers
from samcarry.storage.files import sha256
from support.hub_models import reference, use_small_architectures, write_folder

OFFICIAL_SAM2 = [
    "image_encoder.neck.convs.#.conv.bias",
    "image_encoder.neck.convs.#.conv.weight",
    "image_encoder.trunk.blocks.#.attn.proj.bias",
    "image_encoder.trunk.blocks.#.attn.proj.weight",
    "image_encoder.trunk.blocks.#.attn.qkv.bias",
    "image_encoder.trunk.blocks.#.attn.qkv.weight",
    "image_encoder.trunk.blocks.#.mlp.layers.#.bias",
    "image_encoder.trunk.blocks.#.mlp.layers.#.weight",
    "image_encoder.trunk.blocks.#.norm#.bias",
    "image_encoder.trunk.blocks.#.norm#.weight",
    "image_encoder.trunk.blocks.#.proj.bias",
    "image_encoder.trunk.blocks.#.proj.weight",
    "image_encoder.trunk.patch_embed.proj.bias",
    "image_encoder.trunk.patch_embed.proj.weight",
    "image_encoder.trunk.pos_embed",
    "image_encoder.trunk.pos_embed_window",
    "no_mem_embed",
    "sam_mask_decoder.conv_s#.bias",
    "sam_mask_decoder.conv_s#.weight",
    "sam_mask_decoder.iou_prediction_head.layers.#.bias",
    "sam_mask_decoder.iou_prediction_head.layers.#.weight",
    "sam_mask_decoder.iou_token.weight",
    "sam_mask_decoder.mask_tokens.weight",
    "sam_mask_decoder.obj_score_token.weight",
    "sam_mask_decoder.output_hypernetworks_mlps.#.layers.#.bias",
    "sam_mask_decoder.output_hypernetworks_mlps.#.layers.#.weight",
    "sam_mask_decoder.output_upscaling.#.bias",
    "sam_mask_decoder.output_upscaling.#.weight",
    "sam_mask_decoder.pred_obj_score_head.layers.#.bias",
    "sam_mask_decoder.pred_obj_score_head.layers.#.weight",
    "sam_mask_decoder.transformer.final_attn_token_to_image.k_proj.bias",
    "sam_mask_decoder.transformer.final_attn_token_to_image.k_proj.weight",
    "sam_mask_decoder.transformer.final_attn_token_to_image.out_proj.bias",
    "sam_mask_decoder.transformer.final_attn_token_to_image.out_proj.weight",
    "sam_mask_decoder.transformer.final_attn_token_to_image.q_proj.bias",
    "sam_mask_decoder.transformer.final_attn_token_to_image.q_proj.weight",
    "sam_mask_decoder.transformer.final_attn_token_to_image.v_proj.bias",
    "sam_mask_decoder.transformer.final_attn_token_to_image.v_proj.weight",
    "sam_mask_decoder.transformer.layers.#.cross_attn_image_to_token.k_proj.bias",
    "sam_mask_decoder.transformer.layers.#.cross_attn_image_to_token.k_proj.weight",
    "sam_mask_decoder.transformer.layers.#.cross_attn_image_to_token.out_proj.bias",
    "sam_mask_decoder.transformer.layers.#.cross_attn_image_to_token.out_proj.weight",
    "sam_mask_decoder.transformer.layers.#.cross_attn_image_to_token.q_proj.bias",
    "sam_mask_decoder.transformer.layers.#.cross_attn_image_to_token.q_proj.weight",
    "sam_mask_decoder.transformer.layers.#.cross_attn_image_to_token.v_proj.bias",
    "sam_mask_decoder.transformer.layers.#.cross_attn_image_to_token.v_proj.weight",
    "sam_mask_decoder.transformer.layers.#.cross_attn_token_to_image.k_proj.bias",
    "sam_mask_decoder.transformer.layers.#.cross_attn_token_to_image.k_proj.weight",
    "sam_mask_decoder.transformer.layers.#.cross_attn_token_to_image.out_proj.bias",
    "sam_mask_decoder.transformer.layers.#.cross_attn_token_to_image.out_proj.weight",
    "sam_mask_decoder.transformer.layers.#.cross_attn_token_to_image.q_proj.bias",
    "sam_mask_decoder.transformer.layers.#.cross_attn_token_to_image.q_proj.weight",
    "sam_mask_decoder.transformer.layers.#.cross_attn_token_to_image.v_proj.bias",
    "sam_mask_decoder.transformer.layers.#.cross_attn_token_to_image.v_proj.weight",
    "sam_mask_decoder.transformer.layers.#.mlp.layers.#.bias",
    "sam_mask_decoder.transformer.layers.#.mlp.layers.#.weight",
    "sam_mask_decoder.transformer.layers.#.norm#.bias",
    "sam_mask_decoder.transformer.layers.#.norm#.weight",
    "sam_mask_decoder.transformer.layers.#.self_attn.k_proj.bias",
    "sam_mask_decoder.transformer.layers.#.self_attn.k_proj.weight",
    "sam_mask_decoder.transformer.layers.#.self_attn.out_proj.bias",
    "sam_mask_decoder.transformer.layers.#.self_attn.out_proj.weight",
    "sam_mask_decoder.transformer.layers.#.self_attn.q_proj.bias",
    "sam_mask_decoder.transformer.layers.#.self_attn.q_proj.weight",
    "sam_mask_decoder.transformer.layers.#.self_attn.v_proj.bias",
    "sam_mask_decoder.transformer.layers.#.self_attn.v_proj.weight",
    "sam_mask_decoder.transformer.norm_final_attn.bias",
    "sam_mask_decoder.transformer.norm_final_attn.weight",
    "sam_prompt_encoder.mask_downscaling.#.bias",
    "sam_prompt_encoder.mask_downscaling.#.weight",
    "sam_prompt_encoder.no_mask_embed.weight",
    "sam_prompt_encoder.not_a_point_embed.weight",
    "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    "sam_prompt_encoder.point_embeddings.#.weight",
]
FOR_VIDEOS = (
    "memory_attention.layers.0.linear1.weight",
    "memory_encoder.out_proj.weight",
    "maskmem_tpos_enc",
    "mask_downsample.weight",
    "no_mem_pos_enc",
    "no_obj_ptr",
    "no_obj_embed_spatial",
    "obj_ptr_proj.layers.0.weight",
    "obj_ptr_tpos_proj.weight",
)
_TO_OFFICIAL = (
    (r"^vision_encoder\.backbone\.", "image_encoder.trunk."),
    (r"^vision_encoder\.neck\.convs\.(\d)\.", r"image_encoder.neck.convs.\1.conv."),
    (r"patch_embed\.projection", "patch_embed.proj"),
    (r"(trunk\.blocks\.\d+\.mlp|transformer\.layers\.\d\.mlp)\.proj_in", r"\1.layers.0"),
    (r"(trunk\.blocks\.\d+\.mlp|transformer\.layers\.\d\.mlp)\.proj_out", r"\1.layers.1"),
    (r"(mlps\.\d|head)\.layers\.0", r"\1.layers.1"),
    (r"(mlps\.\d|head)\.proj_in", r"\1.layers.0"),
    (r"(mlps\.\d|head)\.proj_out", r"\1.layers.2"),
    (r"layer_norm(_final_attn|\d)(?=\.)(?<!mask_embed\.layer_norm\d)", r"norm\1"),
    (r"o_proj", "out_proj"),
    (r"mask_embed\.conv1", "mask_downscaling.0"),
    (r"mask_embed\.layer_norm1", "mask_downscaling.1"),
    (r"mask_embed\.conv2", "mask_downscaling.3"),
    (r"mask_embed\.layer_norm2", "mask_downscaling.4"),
    (r"mask_embed\.conv3", "mask_downscaling.6"),
    (r"upscale_conv1", "output_upscaling.0"),
    (r"upscale_layer_norm", "output_upscaling.1"),
    (r"upscale_conv2", "output_upscaling.3"),
    (r"shared_embedding\.positional_embedding", "pe_layer.positional_encoding_gaussian_matrix"),
    (r"^(mask_decoder|prompt_encoder)\.", r"sam_\1."),
    (r"^no_memory_embedding$", "no_mem_embed"),
)


def official(state):
    """The weights of a SAM 2 of transformers under the official names."""
    named = {}
    for name, tensor in state.items():
        if name == "prompt_encoder.point_embed.weight":
            points = {
                f"sam_prompt_encoder.point_embeddings.{k}.weight": row
                for k, row in enumerate(tensor.split(1))
            }
            named |= points
        elif not name.startswith("shared_image_embedding."):
            for pattern, replacement in _TO_OFFICIAL:
                name = re.sub(pattern, replacement, name)
            named[name] = tensor
    return named


@pytest.fixture(scope="module")
def theirs():
    return reference("sam2.1_tiny")


@pytest.fixture
def small(monkeypatch):
    use_small_architectures(monkeypatch)


def test_the_names_of_this_test_are_the_official_ones(theirs):
    names = {re.sub(r"\d+", "#", name) for name in official(theirs.model.state_dict())}
    assert names == set(OFFICIAL_SAM2)


def test_an_official_file_and_a_folder_give_the_same_model(theirs, small, tmp_path):
    folder = load_sam("sam2.1_tiny", write_folder(tmp_path / "folder", theirs))
    videos = dict.fromkeys(FOR_VIDEOS, torch.ones(2))
    torch.save(
        {"model": {**official(theirs.model.state_dict()), **videos}}, tmp_path / "sam2.1_hiera_tiny.pt"
    )
    file = load_sam("sam2.1_tiny", tmp_path / "sam2.1_hiera_tiny.pt")
    assert folder.state_dict().keys() == file.state_dict().keys()
    assert all(torch.equal(tensor, file.state_dict()[name]) for name, tensor in folder.state_dict().items())


def test_every_weight_is_used_and_none_is_invented(theirs):
    state = theirs.model.state_dict()
    ours, back = from_transformers(state, "sam2"), from_official(official(state))
    assert ours.keys() == back.keys()
    assert sum(tensor.numel() for tensor in ours.values()) == sum(
        tensor.numel() for name, tensor in state.items() if not name.startswith("shared_image_embedding.")
    )


def test_an_official_sam_hq_is_read(small, tmp_path):
    theirs = reference("sam_hq_vit_b")
    folder = load_sam("sam_hq_vit_b", write_folder(tmp_path / "folder", theirs))
    named = {}
    for name, tensor in folder.state_dict().items():
        name = name.replace("image_encoder.vit.", "image_encoder.")
        name = name.replace("image_encoder.early.", "mask_decoder.compress_vit_feat.")
        name = name.replace("image_encoder.late.", "mask_decoder.embedding_encoder.")
        name = name.replace("mask_features.", "embedding_maskfeature.")
        name = name.replace("extra_token.", "hf_token.").replace("hq_mask_mlp.", "hf_mlp.")
        named[name] = tensor
    torch.save(named, tmp_path / "sam_hq_vit_b.pth")
    file = load_sam("sam_hq_vit_b", tmp_path / "sam_hq_vit_b.pth")
    assert all(torch.equal(tensor, file.state_dict()[name]) for name, tensor in folder.state_dict().items())


class Evil:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_dangerous_official_file_is_refused_and_not_executed(small, tmp_path):
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    torch.save({"model": {"sam_mask_decoder.iou_token.weight": Evil(tmp_path / "executed")}}, path)
    with pytest.raises(InputError, match="not a SAM checkpoint"):
        load_sam("sam2.1_tiny", path)
    assert not (tmp_path / "executed").exists()


def test_the_hash_of_an_official_file_is_checked_first(small, tmp_path):
    path = tmp_path / "sam2.1_hiera_tiny.pt"
    path.write_bytes(b"anything")
    with pytest.raises(InputError, match=sha256(path)):
        load_sam("sam2.1_tiny", path, "0" * 64)


def test_two_versions_of_one_weight_are_refused():
    ones = torch.ones(2, 4)
    state = {"shared_image_embedding.positional_embedding": ones}
    with pytest.raises(ValueError, match="two different versions"):
        from_transformers({**state, "prompt_encoder.shared_embedding.positional_embedding": 2 * ones}, "sam2")
