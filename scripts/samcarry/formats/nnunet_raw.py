"""nnU-Net's raw data set: writing images and label maps as its programs expect them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samcarry.formats.label_maps import label_map
from samcarry.storage.files import atomic, write_text

DATASET = "Dataset001_samcarry"
"""The folder of the data set, in the folder that nnU-Net calls nnUNet_raw."""


def nnunet_name(case: str) -> str:
    """The name of a case without folders, which nnU-Net does not have."""
    return case.replace("/", "__")


def write_nnunet_case(
    folder: Path, case: str, image: NDArray[np.uint8], masks: NDArray[np.bool_]
) -> list[str]:
    """Write a case as PNG files, atomically; return them, relative to `folder`.

    Args:
        folder: the data set.
        case: the name of the case, see `nnunet_name`.
        image: grey values (height, width).
        masks: (class, height, width); the label map numbers them from 1 and keeps the smaller of overlapping
            classes, as `label_maps.label_map`.
    """
    numbers = label_map(masks)
    values = numbers.astype(np.uint8) if len(masks) < 256 else numbers
    files = {f"imagesTr/{case}_0000.png": image, f"labelsTr/{case}.png": values}
    for name, pixels in files.items():
        with atomic(folder / name) as private:
            Image.fromarray(pixels).save(private, format="PNG")
    return list(files)


def write_nnunet_description(folder: Path, classes: Sequence[str], cases: int) -> None:
    """Write dataset.json, atomically: one grey channel, the number of each class, and the number of cases."""
    content = {
        "channel_names": {"0": "X-ray"},
        "labels": {"background": 0} | {name: number for number, name in enumerate(classes, start=1)},
        "numTraining": cases,
        "file_ending": ".png",
    }
    write_text(folder / "dataset.json", json.dumps(content, ensure_ascii=False, indent=1) + "\n")
