"""Builders of LabelMe documents for tests."""

import base64
import io

import numpy as np
from PIL import Image


def pack(mask: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


def shape(points, kind: str | None = "polygon", **changes) -> dict:
    return {
        "label": "ulna",
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
    } | changes
