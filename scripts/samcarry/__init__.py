"""samcarry: segmentation of radiographs from few labels, with pseudo labels refined by SAM.

If images of one side were mirrored in training (`model.mirrored`), `predict_masks` and `predict_folder` need
`laterality`.

Examples:
    A trained model segments new images in a few lines:

    >>> import numpy as np
    >>> import samcarry
    >>> model = samcarry.load_model("model.safetensors", device="cpu")
    >>> image = np.zeros((120, 80), dtype=np.uint8)  # grey values (height, width), 8 or 16 bits
    >>> masks = samcarry.predict_masks(model, image)  # bool (class, height, width), at the size of the image
    >>> masks.shape == (len(model.classes), 120, 80)
    True
    >>> cases, faults = samcarry.predict_folder(model, "radiographs", "masks", formats=["png", "coco"])
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULE_OF = {
    "Model": "samcarry.predict.models",
    "load_model": "samcarry.predict.models",
    "predict_masks": "samcarry.predict.arrays",
    "predict_folder": "samcarry.predict.new_images",
}
"""The public names and where they are defined; a module is imported when one of its names is first used."""

__all__ = ["Model", "__version__", "load_model", "predict_folder", "predict_masks"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
