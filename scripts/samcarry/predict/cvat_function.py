"""A trained model as an auto-annotation function of CVAT, which `cvat-cli` runs on this machine.

cvat-sdk is not among the requirements, and only `create` imports it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samcarry.errors import InputError
from samcarry.geometry.outlines import outlines
from samcarry.images.grey import grey_values
from samcarry.predict.arrays import predict_masks
from samcarry.predict.models import Model, load_model


@dataclass(frozen=True)
class CvatFunction:
    """What cvat-sdk calls a detection function.

    Attributes:
        spec: cvat-sdk's description of the classes; their numbers are their places in `model.classes`.
        model: the model.
        one_component: see `predict_masks`.
        laterality: see `predict_masks`.
    """

    spec: Any
    model: Model
    one_component: bool
    laterality: str | None

    def detect(self, context: Any, image: Image.Image) -> Sequence[Any]:
        """One mask for each class that the model finds; polygons for each part if CVAT asks for polygons."""
        from cvat_sdk.auto_annotation import mask, polygon
        from cvat_sdk.masks import encode_mask

        masks = predict_masks(
            self.model, _grey(image), one_component=self.one_component, laterality=self.laterality
        )
        found = [(number, each) for number, each in enumerate(masks) if each.any()]
        if not context.conv_mask_to_poly:
            return [mask(number, encode_mask(each)) for number, each in found]
        return [
            polygon(number, outline.ravel().astype(float).tolist())
            for number, each in found
            for outline in outlines(each)
        ]


def create(model: str, one_component: bool = False, laterality: str | None = None) -> CvatFunction:
    """The function that `cvat-cli --function-module samcarry.predict.cvat_function` uses.

    Args:
        model: path of a model file, `model.safetensors` or `model.onnx`.
        one_component: see `predict_masks`.
        laterality: see `predict_masks`; all images of the task show this side.

    Raises:
        InputError: cvat-sdk is not installed, or the model cannot be loaded.
    """
    try:
        from cvat_sdk.auto_annotation import DetectionFunctionSpec, label_spec
    except ImportError:
        raise InputError("cvat-sdk is not installed: python -m pip install cvat-cli") from None
    loaded = load_model(model)
    labels = [label_spec(name, number, type="any") for number, name in enumerate(loaded.classes)]
    return CvatFunction(DetectionFunctionSpec(labels=labels), loaded, one_component, laterality)


def _grey(image: Image.Image) -> NDArray[Any]:
    """Grey values (height, width) of 8 or 16 bits, as `read_grey` takes them from a file."""
    values = grey_values(image)
    return values.astype(np.uint16) if image.mode.startswith("I") else values
