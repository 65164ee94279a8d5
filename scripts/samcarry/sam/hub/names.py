"""Names of weights: those of transformers and of official checkpoints as the names of our models.

Each family's names are rewritten by rules, one after the other. Ours are segment-anything's where it has the
part.
"""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Rules = Sequence[tuple[str, str]]

_MLPS = r"(output_hypernetworks_mlps\.\d|iou_prediction_head|pred_obj_score_head|hq_mask_mlp)\."

_PROMPTS_AND_DECODER: Rules = (
    (
        r"^(prompt_encoder\.shared_embedding|shared_image_embedding)\.positional_embedding$",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    (r"\.point_embed\.", ".point_embeddings."),
    (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
    (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
    (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
    (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
    (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
    (_MLPS + r"layers\.0\.", r"\1.layers.1."),
    (_MLPS + r"proj_in\.", r"\1.layers.0."),
    (_MLPS + r"proj_out\.", r"\1.layers.2."),
    (r"(\.transformer\.layers\.\d\.mlp)\.proj_in\.", r"\1.lin1."),
    (r"(\.transformer\.layers\.\d\.mlp)\.proj_out\.", r"\1.lin2."),
    (r"^(mask_decoder\.transformer\..*)layer_norm", r"\1norm"),
    (r"^(mask_decoder\.transformer\..*)\.o_proj\.", r"\1.out_proj."),
)
_VIT: Rules = (
    (r"^vision_encoder\.layers\.", "vision_encoder.blocks."),
    (r"^(vision_encoder\.blocks\.\d+)\.layer_norm", r"\1.norm"),
    (r"^vision_encoder\.patch_embed\.projection\.", "vision_encoder.patch_embed.proj."),
    (r"^vision_encoder\.neck\.conv1\.", "vision_encoder.neck.0."),
    (r"^vision_encoder\.neck\.layer_norm1\.", "vision_encoder.neck.1."),
    (r"^vision_encoder\.neck\.conv2\.", "vision_encoder.neck.2."),
    (r"^vision_encoder\.neck\.layer_norm2\.", "vision_encoder.neck.3."),
)
_OBJECTS: Rules = (
    (r"\.obj_score_token\.", ".extra_token."),
    (r"\.pred_obj_score_head\.", ".presence_prediction_head."),
    (r"^mask_decoder\.conv_s", "image_encoder.conv_s"),
    (r"^no_memory_embedding$", "image_encoder.no_memory"),
)
_VIDEO_ONLY = re.compile(
    r"memory_|maskmem_|mask_downsample|object_pointer|obj_ptr|temporal_positional|no_memory_pos|no_mem_pos"
    r"|no_obj|no_object|occlusion_spatial"
)
"""Beginnings of the names of weights for videos, which an image does not need."""

_FROM_TRANSFORMERS: dict[str, Rules] = {
    "sam": (*_VIT, *_PROMPTS_AND_DECODER, (r"^vision_encoder\.", "image_encoder.")),
    "sam_hq": (
        *_VIT,
        *_PROMPTS_AND_DECODER,
        (r"^vision_encoder\.", "image_encoder.vit."),
        (r"\.hq_token\.", ".extra_token."),
        (r"^mask_decoder\.compress_vit_conv1\.", "image_encoder.early.0."),
        (r"^mask_decoder\.compress_vit_norm\.", "image_encoder.early.1."),
        (r"^mask_decoder\.compress_vit_conv2\.", "image_encoder.early.3."),
        (r"^mask_decoder\.encoder_conv1\.", "image_encoder.late.0."),
        (r"^mask_decoder\.encoder_norm\.", "image_encoder.late.1."),
        (r"^mask_decoder\.encoder_conv2\.", "image_encoder.late.3."),
        (r"^mask_decoder\.mask_conv1\.", "mask_decoder.mask_features.0."),
        (r"^mask_decoder\.mask_norm\.", "mask_decoder.mask_features.1."),
        (r"^mask_decoder\.mask_conv2\.", "mask_decoder.mask_features.3."),
    ),
    "sam2": (
        *_PROMPTS_AND_DECODER,
        *_OBJECTS,
        (r"^vision_encoder\.", "image_encoder.vision."),
    ),
    # The file of SAM 3 holds a detector too; both share the image encoder, and each has a neck of its own.
    "sam3": (
        (r"^tracker_model\.", ""),
        (r"^detector_model\.vision_encoder\.backbone\.", "vision_encoder.backbone."),
        (r"^tracker_neck\.", "vision_encoder.neck."),
        *_PROMPTS_AND_DECODER,
        *_OBJECTS,
        (r"^vision_encoder\.", "image_encoder.vision."),
    ),
}
_FROM_OFFICIAL_SAM2: Rules = (
    (r"^image_encoder\.trunk\.(.*)\.norm(\d)\.", r"image_encoder.trunk.\1.layer_norm\2."),
    (r"^(image_encoder\.trunk\..*\.mlp)\.layers\.0\.", r"\1.proj_in."),
    (r"^(image_encoder\.trunk\..*\.mlp)\.layers\.1\.", r"\1.proj_out."),
    (r"^image_encoder\.trunk\.patch_embed\.proj\.", "image_encoder.trunk.patch_embed.projection."),
    (r"^image_encoder\.trunk\.", "image_encoder.vision.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d)\.conv\.", r"image_encoder.vision.neck.convs.\1."),
    (r"^sam_(prompt_encoder|mask_decoder)\.", r"\1."),
    (r"(\.transformer\.layers\.\d\.mlp)\.layers\.0\.", r"\1.lin1."),
    (r"(\.transformer\.layers\.\d\.mlp)\.layers\.1\.", r"\1.lin2."),
    *_OBJECTS,
    (r"^no_mem_embed$", "image_encoder.no_memory"),
)
_FROM_OFFICIAL_HQ: Rules = (
    (r"^image_encoder\.", "image_encoder.vit."),
    (r"^mask_decoder\.hf_token\.", "mask_decoder.extra_token."),
    (r"^mask_decoder\.hf_mlp\.", "mask_decoder.hq_mask_mlp."),
    (r"^mask_decoder\.compress_vit_feat\.", "image_encoder.early."),
    (r"^mask_decoder\.embedding_encoder\.", "image_encoder.late."),
    (r"^mask_decoder\.embedding_maskfeature\.", "mask_decoder.mask_features."),
)


def from_transformers(state: Mapping[str, Tensor], family: str) -> dict[str, Tensor]:
    """Weights of a model of transformers under our names.

    Args:
        state: weights by name.
        family: 'sam', 'sam_hq', 'sam2' or 'sam3'.

    Raises:
        ValueError: two weights that have to be equal differ.
    """
    named = _renamed(state, _FROM_TRANSFORMERS[family])
    points = named.pop("prompt_encoder.point_embeddings.weight", None)
    for index, point in enumerate(() if points is None else points.split(1)):
        named[f"prompt_encoder.point_embeddings.{index}.weight"] = point
    return {name: tensor for name, tensor in named.items() if not name.startswith("detector_model.")}


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an official SAM 2, 2.1 or SAM-HQ under our names; others stay as they are."""
    if "sam_mask_decoder.iou_token.weight" in state:
        return _renamed(state, _FROM_OFFICIAL_SAM2)
    if "mask_decoder.hf_token.weight" in state:
        return _renamed(state, _FROM_OFFICIAL_HQ)
    return dict(state)


def _renamed(state: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        if _VIDEO_ONLY.match(name):
            continue
        if name in renamed and not torch.equal(renamed[name], tensor):
            raise ValueError(f"it has two different versions of {name}")
        renamed[name] = tensor
    return renamed
