"""Builders of tables with one row a mask."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from samcarry.images.masks import write_mask
from samcarry.storage.tables import write_table


def write_mask_table(
    folder: Path, images: Mapping[str, np.ndarray], classes: Sequence[str], *, cut: bool = False
) -> Path:
    """Write masks.csv and a PNG for each class that is present, as large as the image or cut to its box."""
    rows: list[tuple[object, ...]] = []
    for image, masks in images.items():
        for name, mask in zip(classes, masks, strict=True):
            if not mask.any():
                continue
            top, left = (int(places.min()) for places in np.nonzero(mask))
            bottom, right = (int(places.max()) + 1 for places in np.nonzero(mask))
            file = f"{len(rows)}.png"
            write_mask(folder / file, mask[top:bottom, left:right] if cut else mask)
            rows.append((image, name, file, left, top) if cut else (image, name, file, "", ""))
        if not masks.any():
            rows.append((image, "", "", "", ""))
    write_table(folder / "masks.csv", ("image", "class", "mask", "left", "top"), rows)
    return folder / "masks.csv"
