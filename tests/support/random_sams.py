"""SAMs with random weights, whose answers depend on every part of the prompt."""

from functools import partial

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import nn

from samcarry.sam.small.model import build_small_sam
from samcarry.sam.tiny.model import build_tiny_sam


def tiny_sam():
    torch.manual_seed(0)
    return _sensitive_to_masks(build_tiny_sam())


def small_sam(side=96):
    torch.manual_seed(0)
    return _sensitive_to_masks(build_small_sam(side))


def vit_sam(side=128):
    """The structure of the official models, with few and narrow layers."""
    torch.manual_seed(0)
    grid, dim = side // 16, 32
    encoder = ImageEncoderViT(
        img_size=side,
        embed_dim=36,
        depth=2,
        num_heads=3,
        out_chans=dim,
        use_rel_pos=True,
        window_size=3,
        global_attn_indexes=(1,),
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    )
    prompt_encoder = PromptEncoder(dim, (grid, grid), (side, side), 16)
    transformer = TwoWayTransformer(depth=2, embedding_dim=dim, mlp_dim=64, num_heads=4)
    decoder = MaskDecoder(transformer_dim=dim, transformer=transformer, iou_head_hidden_dim=dim)
    return _sensitive_to_masks(Sam(encoder, prompt_encoder, decoder).eval())


def _sensitive_to_masks(sam):
    """Fresh weights all but ignore the dense prompts; these make them count."""
    sam.requires_grad_(False)
    convolution, norm, *_, projection = sam.prompt_encoder.mask_downscaling
    convolution.bias.zero_()
    norm.eps = 0.01
    projection.weight *= 20
    return sam
