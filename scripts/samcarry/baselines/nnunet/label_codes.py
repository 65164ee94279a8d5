"""Label images of overlapping classes for nnU-Net: one integer code per combination of classes.

nnU-Net reads one label image per case, in which a pixel has a single value. Here this value, the code, stands
for the set of classes that the pixel belongs to. Each class is declared to nnU-Net as a region: the list of
all codes whose set contains the class. nnU-Net learns one sigmoid output per region, so that it can predict
overlaps that no code stands for.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError

PADDING = 2
"""Number of unused codes that are added to every region.

nnU-Net treats labels as regions only if at least one of them lists two or more codes, and gives a class an
output only if its region has at least one code. Two unused codes ensure both, whatever the labels contain.
"""

_MAX_COMBINATIONS = np.iinfo(np.int16).max - PADDING


def find_combinations(masks: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """All combinations of classes that occur in a pixel, without the empty one.

    Args:
        masks: masks (class, height, width) of each case.

    Returns:
        Combinations (combination, class), sorted; row k has code k + 1, and 0 is the background.

    Raises:
        InputError: no pixel is labelled, or there are more combinations than nnU-Net's 16 bits can encode.
    """
    found: set[bytes] = set()
    classes = 0
    for mask in masks:
        classes = len(mask)
        found |= {row.tobytes() for row in np.unique(_packed(mask), axis=0)}
    combinations = sorted(found - {bytes(math.ceil(classes / 8))})
    if not combinations:
        raise InputError(
            "nnunet_bce: no pixel of the training cases is labelled, and nnU-Net cannot plan without "
            "labels: increase n, or remove nnunet_bce from the methods"
        )
    if len(combinations) > _MAX_COMBINATIONS:
        raise InputError(
            f"nnunet_bce: the classes overlap in {len(combinations)} ways, but nnU-Net can distinguish only "
            f"{_MAX_COMBINATIONS}: decrease n, or remove nnunet_bce from the methods"
        )
    rows = np.frombuffer(b"".join(combinations), np.uint8).reshape(len(combinations), -1)
    return np.unpackbits(rows, axis=1, count=classes).astype(bool)


def encode_masks(masks: NDArray[np.bool_], combinations: NDArray[np.bool_]) -> NDArray[np.unsignedinteger]:
    """The label image (height, width) of one case's masks (class, height, width).

    Its values have 8 bits if all codes fit into them, else 16.

    Raises:
        KeyError: a pixel's combination is not among `combinations`.
    """
    code_of = {row.tobytes(): code for code, row in enumerate(np.packbits(combinations, axis=1), start=1)}
    code_of[bytes(math.ceil(len(masks) / 8))] = 0
    rows, index = np.unique(_packed(masks), axis=0, return_inverse=True)
    codes = np.array([code_of[row.tobytes()] for row in rows], code_type(combinations))
    return codes[index.reshape(masks.shape[1:])]


def decode_masks(codes: NDArray[np.unsignedinteger], combinations: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The masks (class, height, width) of a label image (height, width)."""
    with_background = np.vstack([np.zeros_like(combinations[:1]), combinations])
    return np.moveaxis(with_background[codes], -1, 0)


def code_type(combinations: NDArray[np.bool_]) -> type[np.unsignedinteger]:
    """The smaller unsigned integer type that can hold all codes, including the unused ones."""
    return np.uint8 if len(combinations) + PADDING <= np.iinfo(np.uint8).max else np.uint16


def regions(combinations: NDArray[np.bool_]) -> list[list[int]]:
    """For each class the codes of the combinations that contain it, and the unused codes."""
    first = len(combinations) + 1
    padding = list(range(first, first + PADDING))
    return [(np.flatnonzero(column) + 1).tolist() + padding for column in combinations.T]


def _packed(masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Each pixel's classes as bits: (class, height, width) -> (pixel, byte)."""
    return np.packbits(masks.reshape(len(masks), -1).T, axis=1)
