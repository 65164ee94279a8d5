"""The classes of segment-anything that models consist of, without importing the rest of that package.

The package's `__init__` imports its predictor, and thereby torchvision, which takes nearly as long as torch.
Models need neither, so the `__init__` waits until something asks for what only it imports.
"""

import sys
from importlib.util import find_spec, module_from_spec
from typing import Any


def _put_off_init(name: str) -> None:
    """Let the modules of an installed package be imported without running its `__init__`.

    The `__init__` runs in the same module when a name is asked for that only it defines.
    """
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader

    def with_init(attribute: str) -> Any:
        vars(package).pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, attribute)

    vars(package)["__getattr__"] = with_init
    sys.modules[name] = package


_put_off_init("segment_anything")

from segment_anything.build_sam import build_sam_vit_b, build_sam_vit_h, build_sam_vit_l  # noqa: E402
from segment_anything.modeling import (  # noqa: E402
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from segment_anything.modeling.common import LayerNorm2d  # noqa: E402
from segment_anything.modeling.image_encoder import Attention as ImageAttention  # noqa: E402
from segment_anything.modeling.image_encoder import (  # noqa: E402
    Block,
    get_rel_pos,
    window_partition,
    window_unpartition,
)
from segment_anything.modeling.mask_decoder import MLP  # noqa: E402
from segment_anything.modeling.transformer import Attention as PromptAttention  # noqa: E402

__all__ = [
    "MLP",
    "Block",
    "ImageAttention",
    "ImageEncoderViT",
    "LayerNorm2d",
    "MaskDecoder",
    "PromptAttention",
    "PromptEncoder",
    "Sam",
    "TwoWayTransformer",
    "build_sam_vit_b",
    "build_sam_vit_h",
    "build_sam_vit_l",
    "get_rel_pos",
    "window_partition",
    "window_unpartition",
]
