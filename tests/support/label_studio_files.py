"""Builders of Label Studio documents for tests."""

import numpy as np


def pack(mask: np.ndarray) -> list[int]:
    """Encode a brush like Label Studio: an RGBA image in run lengths (the package rle-pack)."""
    alpha = np.where(mask, 255, 0).astype(np.uint8)
    values = np.repeat(alpha.ravel(), 4).tolist()
    sizes = (3, 4, 8, 16)
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    start = 0
    while start < len(values):
        end = start + 1
        while end < len(values) and values[end] == values[start] and end - start < 2**16:
            end += 1
        if end - start > 1:
            choice = next(index for index, size in enumerate(sizes) if end - start <= 2**size)
            bits += f"1{choice:02b}{end - start - 1:0{sizes[choice]}b}{values[start]:08b}"
        start = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def pack_literally(mask: np.ndarray) -> list[int]:
    """As `pack`, with runs of different values only, in pieces of at most eight."""
    values = np.repeat(np.where(mask, 255, 0), 4).tolist()
    bits = f"{len(values):032b}{7:05b}" + f"{2:04b}" * 4
    for start in range(0, len(values), 7):
        run = values[start : start + 7]
        bits += f"000{len(run) - 1:03b}" + "".join(f"{value:08b}" for value in run)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def shape(
    kind: str, value: dict, label: str | None = "ulna", height: int = 5, width: int = 6, **changes
) -> dict:
    """One shape on an image of height x width; `value` in percentages."""
    labels = {} if label is None else {kind: [label]}
    return {
        "id": "a1",
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "origin": "manual",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": value | labels,
    } | changes


def polygon(points=((1, 1), (4, 1), (4, 3), (1, 3)), height: int = 5, width: int = 6, **changes) -> dict:
    """A polygon; `points` in pixels."""
    percent = [[100 * x / width, 100 * y / height] for x, y in points]
    return shape("polygonlabels", {"points": percent, "closed": True}, height=height, width=width, **changes)


def brush(mask: np.ndarray, **changes) -> dict:
    height, width = mask.shape
    value = {"format": "rle", "rle": pack(mask)}
    return shape("brushlabels", value, height=height, width=width, **changes)


def task(*annotations: list[dict], image: str = "/data/upload/1/0a1b2c3d-a.png", **changes) -> dict:
    """A task in which each entry of `annotations` holds the shapes of one annotator."""
    drawn = [
        {"id": number, "completed_by": number, "was_cancelled": False, "result": list(shapes)}
        for number, shapes in enumerate(annotations, start=1)
    ]
    return {"id": 1, "annotations": drawn, "predictions": [], "data": {"image": image}} | changes
