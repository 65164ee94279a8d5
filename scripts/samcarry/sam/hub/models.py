"""SAM 2.1, SAM 3 and SAM-HQ with random weights, as `segment_anything.modeling.Sam`.

So that the code for prompts, crops, refinement and tuning runs them unchanged. transformers is imported only
when a model is built that needs it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from samcarry.sam.hub.decoders import HqDecoder, ObjectDecoder, PaddedPromptEncoder
from samcarry.sam.hub.encoders import HqEncoder, PyramidEncoder
from samcarry.sam.official import Sam, TwoWayTransformer, build_sam_vit_b, build_sam_vit_h, build_sam_vit_l

BLOCKS = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
"""The blocks of a config.json that describe a model."""

IMAGENET = {"pixel_mean": [123.675, 116.28, 103.53], "pixel_std": [58.395, 57.12, 57.375]}
HALF = {"pixel_mean": [127.5] * 3, "pixel_std": [127.5] * 3}


def _hiera(
    width: int, heads: int, blocks: list[int], whole: list[int], windows: list[int], background: int
) -> dict[str, Any]:
    """The `vision_config` of a SAM 2.1: sizes of its four stages, and the blocks that attend to all cells."""
    widths = [width * 2**stage for stage in range(4)]
    return {
        "backbone_channel_list": widths[::-1],
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": width,
            "num_attention_heads": heads,
            "blocks_per_stage": blocks,
            "embed_dim_per_stage": widths,
            "num_attention_heads_per_stage": [heads * 2**stage for stage in range(4)],
            "window_size_per_stage": windows,
            "global_attention_blocks": whole,
            "window_positional_embedding_background_size": [background] * 2,
        },
    }


CONFIGS: dict[str, dict[str, Any]] = {
    "sam2.1_tiny": {"vision_config": _hiera(96, 1, [1, 2, 7, 2], [5, 7, 9], [8, 4, 14, 7], 7)},
    "sam2.1_small": {"vision_config": _hiera(96, 1, [1, 2, 11, 2], [7, 10, 13], [8, 4, 14, 7], 7)},
    "sam2.1_base_plus": {"vision_config": _hiera(112, 2, [2, 3, 16, 3], [12, 16, 20], [8, 4, 14, 7], 14)},
    "sam2.1_large": {"vision_config": _hiera(144, 2, [2, 6, 36, 4], [23, 33, 43], [8, 4, 16, 8], 7)},
    "sam3_tracker": {},
}
"""What differs from the defaults of transformers."""

VITS: dict[str, Callable[[], Sam]] = {
    "sam_hq_vit_b": build_sam_vit_b,
    "sam_hq_vit_l": build_sam_vit_l,
    "sam_hq_vit_h": build_sam_vit_h,
}
"""The SAMs that SAM-HQ adds to."""


def build_later_sam(model: str, config: Mapping[str, Any] | None = None) -> Sam:
    """A SAM of `LATER_MODELS` with random weights, in evaluation mode.

    Args:
        model: its name.
        config: the content of its config.json; None = as the name says. SAM-HQ has one form for each name.
    """
    if model in VITS:
        return _build_hq(VITS[model]())
    return _build_pyramid(model, CONFIGS[model] if config is None else config)


def _build_pyramid(model: str, given: Mapping[str, Any]) -> Sam:
    from transformers import AutoModel, Sam2Config, Sam3TrackerConfig

    is_sam3 = model == "sam3_tracker"
    described = {block: dict(given[block]) for block in BLOCKS if given.get(block)}
    family: Any = Sam3TrackerConfig if is_sam3 else Sam2Config
    config = family(**described)
    prompts, decoder = config.prompt_encoder_config, config.mask_decoder_config
    channels, side = decoder.hidden_size, prompts.image_size
    grid = side // prompts.patch_size
    stability = (decoder.dynamic_multimask_stability_delta, decoder.dynamic_multimask_stability_thresh)
    sam = Sam(
        image_encoder=PyramidEncoder(AutoModel.from_config(config.vision_config), side, channels),
        prompt_encoder=PaddedPromptEncoder(
            channels, (grid, grid), (side, side), mask_in_chans=prompts.mask_input_channels
        ),
        mask_decoder=ObjectDecoder(
            transformer_dim=channels,
            transformer=TwoWayTransformer(
                depth=decoder.num_hidden_layers,
                embedding_dim=channels,
                mlp_dim=decoder.mlp_dim,
                num_heads=decoder.num_attention_heads,
                attention_downsample_rate=decoder.attention_downsample_rate,
            ),
            iou_head_depth=decoder.iou_head_depth,
            iou_head_hidden_dim=decoder.iou_head_hidden_dim,
            stability=stability if decoder.dynamic_multimask_via_stability else None,
        ),
        **(HALF if is_sam3 else IMAGENET),
    )
    sam.config = {block: getattr(config, block).to_dict() for block in BLOCKS}
    return sam.eval()


def _build_hq(base: Sam) -> Sam:
    prompts, decoder = base.prompt_encoder, base.mask_decoder
    vit = base.image_encoder
    width = vit.patch_embed.proj.out_channels
    hq = HqDecoder(transformer_dim=prompts.embed_dim, transformer=decoder.transformer)
    sam = Sam(HqEncoder(vit, width, prompts.embed_dim), prompts, hq, **IMAGENET)
    return sam.eval()
