"""Builders of Supervisely documents for tests."""

import base64
import io
import zlib

import numpy as np
from PIL import Image

BOX = [[0, 0], [4, 0], [4, 4], [0, 4]]


def pack(mask: np.ndarray) -> str:
    """Encode a bitmap like Supervisely: with a black-and-white palette in which black is transparent."""
    image = Image.fromarray(mask.astype(np.uint8), mode="P")
    image.putpalette([0, 0, 0, 255, 255, 255])
    stream = io.BytesIO()
    image.save(stream, format="PNG", transparency=0)
    return base64.b64encode(zlib.compress(stream.getvalue())).decode()


def polygon(exterior=BOX, interior=(), number: int = 1, **changes) -> dict:
    return {
        "id": number,
        "classId": 5,
        "description": "",
        "geometryType": "polygon",
        "tags": [],
        "classTitle": "13",
        "points": {"exterior": exterior, "interior": list(interior)},
    } | changes


def bitmap(data: str, origin=(0, 0), **changes) -> dict:
    packed = {"data": data, "origin": list(origin)}
    return polygon(geometryType="bitmap", points={}, bitmap=packed) | changes
