"""Small models of transformers with random weights, their processors, and folders of them."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import nn

from samcarry.sam import checkpoints
from samcarry.sam.hub import models

SIDE, DIM = 128, 32
SIDE_OF_SAM3 = 112
_PROMPTS = {"hidden_size": DIM, "image_size": SIDE, "patch_size": 16}
_DECODER = {"hidden_size": DIM, "mlp_dim": 64, "num_attention_heads": 4, "iou_head_hidden_dim": DIM}
_VIT = {
    "hidden_size": 36,
    "output_channels": DIM,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "image_size": SIDE,
    "window_size": 3,
    "global_attn_indexes": [1, 2],
    "num_pos_feats": DIM // 2,
}
_HIERA = {
    "backbone_channel_list": [64, 32, 16, 8],
    "fpn_hidden_size": DIM,
    "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
    "backbone_config": {
        "model_type": "sam2_hiera_det_model",
        "image_size": [SIDE, SIDE],
        "hidden_size": 8,
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 2, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": [8, 4, 4, 2],
        "global_attention_blocks": [4],
        "window_positional_embedding_background_size": [7, 7],
    },
}
_SAM3_VIT = {
    "fpn_hidden_size": DIM,
    "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
    "scale_factors": [4.0, 2.0, 1.0],
    "backbone_config": {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIDE_OF_SAM3,
        "pretrain_image_size": 56,
        "window_size": 4,
        "global_attn_indexes": [1],
    },
}

KINDS = {"vit_b": "sam", "sam_hq_vit_b": "sam_hq", "sam2.1_tiny": "sam2", "sam3_tracker": "sam3"}
"""The names that stand for the small models in tests, and their families."""


@dataclass(frozen=True)
class Reference:
    """A model of transformers, and the processor that goes with it."""

    name: str
    model: Any
    processor: Any

    def inputs(self, image, prompt, kind):
        """What the processor makes of a grey image and a prompt."""
        parts, given = kind.split("+"), {}
        if "box" in parts:
            given["input_boxes"] = [[list(map(float, prompt.box))]]
        if "pos" in parts:
            negative = prompt.negative if "neg" in parts else ()
            given["input_points"] = [[[list(map(float, point)) for point in (prompt.positive, *negative)]]]
            given["input_labels"] = [[[1] + [0] * len(negative)]]
        colours = np.repeat(image[..., None], 3, axis=2)
        return self.processor(images=colours, return_tensors="pt", **given)

    @torch.no_grad()
    def ask(self, image, prompt, kind, mask_input=None, multimask=False):
        """Logits (M, h, w), estimated IoU (M,), and masks at full size (M, height, width)."""
        inputs = self.inputs(image, prompt, kind)
        sizes = {key: inputs.pop(key) for key in ("original_sizes", "reshaped_input_sizes") if key in inputs}
        answer = self.model(**inputs, input_masks=mask_input, multimask_output=multimask)
        post = self.processor.post_process_masks(answer.pred_masks, **sizes)
        return answer.pred_masks[0, 0], answer.iou_scores[0, 0], post[0][0]


def reference(name: str, seed: int = 0) -> Reference:
    """The model of transformers with random weights for one of `KINDS`, and its processor."""
    import transformers as t

    torch.manual_seed(seed)
    parts = {"prompt_encoder_config": _PROMPTS, "mask_decoder_config": _DECODER}
    padded = {
        "size": {"longest_edge": SIDE},
        "pad_size": {"height": SIDE, "width": SIDE},
        "mask_size": {"longest_edge": SIDE // 4},
        "mask_pad_size": {"height": SIDE // 4, "width": SIDE // 4},
    }
    if name == "vit_b":
        model = t.SamModel(t.SamConfig(vision_config=_VIT, **parts))
        processor = t.SamProcessor(t.SamImageProcessor(**padded))
    elif name == "sam_hq_vit_b":
        parts["mask_decoder_config"] = {**_DECODER, "vit_dim": 36, "iou_head_hidden_dim": 256}
        model = t.SamHQModel(t.SamHQConfig(vision_config=_VIT, **parts))
        use_updated_image_tokens(model.mask_decoder)
        processor = t.SamHQProcessor(t.SamImageProcessor(**padded))
    elif name == "sam2.1_tiny":
        vision = {"model_type": "sam2_vision_model", **_HIERA}
        model = t.Sam2Model(t.Sam2Config(vision_config=vision, **parts))
        processor = t.Sam2Processor(t.Sam2ImageProcessor(size={"height": SIDE, "width": SIDE}))
    else:
        parts["prompt_encoder_config"] = {**_PROMPTS, "image_size": SIDE_OF_SAM3, "patch_size": 14}
        vision = {"model_type": "sam3_vision_model", **_SAM3_VIT}
        model = t.Sam3TrackerModel(t.Sam3TrackerConfig(vision_config=vision, **parts))
        size = {"height": SIDE_OF_SAM3, "width": SIDE_OF_SAM3}
        processor = t.Sam3TrackerProcessor(t.Sam3ImageProcessor(size=size))
    return Reference(name, _randomised(model.eval()), processor)


@torch.no_grad()
def _randomised(model):
    """Weights that are zero or one at first would hide what they are for."""
    for parameter in model.parameters():
        parameter += 0.15 * torch.randn_like(parameter)
    shared = model.shared_image_embedding.positional_embedding
    shared.copy_(torch.randn_like(shared))
    model.prompt_encoder.shared_embedding.positional_embedding.copy_(shared)
    model.prompt_encoder.mask_embed.conv1.weight *= 5
    return model


def use_updated_image_tokens(decoder) -> None:
    """Let SAM-HQ draw from the image tokens that its transformer has updated, as its authors' code does.

    transformers 5.23.0 draws from those that went into the transformer, with rows and columns exchanged.
    """
    original = decoder.transformer.forward

    def forward(image_embeddings, **others):
        tokens, updated = original(image_embeddings=image_embeddings, **others)
        cells = updated.transpose(2, 3).reshape(image_embeddings.shape)
        image_embeddings.copy_(cells.transpose(2, 3))
        return tokens, updated

    decoder.transformer.forward = forward


def use_small_architectures(monkeypatch) -> None:
    """Let the names of `KINDS` stand for the small models."""
    hiera = {"model_type": "sam2_vision_model", **_HIERA}
    small = {"prompt_encoder_config": _PROMPTS, "mask_decoder_config": _DECODER}
    monkeypatch.setitem(models.CONFIGS, "sam2.1_tiny", {"vision_config": hiera, **small})
    prompts = {**_PROMPTS, "image_size": SIDE_OF_SAM3, "patch_size": 14}
    vit = {"model_type": "sam3_vision_model", **_SAM3_VIT}
    monkeypatch.setitem(
        models.CONFIGS,
        "sam3_tracker",
        {"vision_config": vit, **small, "prompt_encoder_config": prompts},
    )
    monkeypatch.setitem(models.VITS, "sam_hq_vit_b", small_vit)
    monkeypatch.setitem(checkpoints.BUILDERS, "vit_b", small_vit)


def small_vit() -> Sam:
    """segment-anything's own model in the small shapes."""
    grid = SIDE // 16
    encoder = ImageEncoderViT(
        img_size=SIDE,
        embed_dim=_VIT["hidden_size"],
        depth=_VIT["num_hidden_layers"],
        num_heads=_VIT["num_attention_heads"],
        out_chans=DIM,
        use_rel_pos=True,
        window_size=_VIT["window_size"],
        global_attn_indexes=tuple(_VIT["global_attn_indexes"]),
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    )
    transformer = TwoWayTransformer(depth=2, embedding_dim=DIM, mlp_dim=64, num_heads=4)
    return Sam(
        encoder,
        PromptEncoder(DIM, (grid, grid), (SIDE, SIDE), 16),
        MaskDecoder(transformer_dim=DIM, transformer=transformer, iou_head_hidden_dim=DIM),
    ).eval()


def write_folder(folder, reference: Reference):
    """The model as transformers saves it; returns the config.json."""
    reference.model.save_pretrained(folder)
    return folder / "config.json"


def write_shards(folder, state, count=3):
    """A folder's weights anew, in several files with an index."""
    names = sorted(state)
    files = [f"model-{k + 1:05}-of-{count:05}.safetensors" for k in range(count)]
    for k, file in enumerate(files):
        save_file({name: state[name].contiguous() for name in names[k::count]}, folder / file)
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for tensor in state.values())},
        "weight_map": {name: files[place % count] for place, name in enumerate(names)},
    }
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return [folder / file for file in files]
