"""Overlapping classes as nnU-Net can read them: one integer code for each combination that occurs.

nnU-Net reads one label image a case. A pixel's code names the set of classes that it belongs to; to
nnU-Net a class is a region, the list of all codes whose set holds it. From regions it learns one
sigmoid a class, so that an overlap that no code stands for can still be predicted.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError

PADDING = 2
"""Codes that no pixel has, in every region.

nnU-Net takes labels for regions only if one of them lists two codes or more, and gives a class its output
only if it lists any: these two see to both, whatever the labels hold.
"""

_MOST = np.iinfo(np.int16).max - PADDING


def find_combinations(masks: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """All sets of classes that some pixel belongs to, without the empty set.

    Args:
        masks: of each case, (class, height, width).

    Returns:
        (combination, class), sorted; row k has the code k + 1, and 0 is the background.

    Raises:
        InputError: there is none, or there are more than nnU-Net's 16 bits can name.
    """
    found: set[bytes] = set()
    classes = 0
    for mask in masks:
        classes = len(mask)
        found |= {row.tobytes() for row in np.unique(_packed(mask), axis=0)}
    combinations = sorted(found - {bytes(-(-classes // 8))})
    if not combinations:
        raise InputError(
            "nnunet_bce: the labels of the training cases have no pixel at all, and nnU-Net cannot plan "
            "without one: raise n, or take nnunet_bce off the methods"
        )
    if len(combinations) > _MOST:
        raise InputError(
            f"nnunet_bce: the labels overlap in {len(combinations)} ways, nnU-Net can tell {_MOST} apart: "
            f"lower n, or take nnunet_bce off the methods"
        )
    rows = np.frombuffer(b"".join(combinations), np.uint8).reshape(len(combinations), -1)
    return np.unpackbits(rows, axis=1, count=classes).astype(bool)


def encode(masks: NDArray[np.bool_], combinations: NDArray[np.bool_]) -> NDArray[np.unsignedinteger]:
    """The label image (height, width) of one case's masks (class, height, width).

    It has 8 bits where all codes fit into them, else 16.

    Raises:
        KeyError: a pixel's combination is not among `combinations`.
    """
    code_of = {row.tobytes(): code for code, row in enumerate(np.packbits(combinations, axis=1), start=1)}
    code_of[bytes(-(-len(masks) // 8))] = 0
    rows, place = np.unique(_packed(masks), axis=0, return_inverse=True)
    codes = np.array([code_of[row.tobytes()] for row in rows], code_type(combinations))
    return codes[place.reshape(masks.shape[1:])]


def decode(codes: NDArray[np.unsignedinteger], combinations: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The masks (class, height, width) of a label image (height, width)."""
    with_background = np.vstack([np.zeros_like(combinations[:1]), combinations])
    return np.moveaxis(with_background[codes], -1, 0)


def code_type(combinations: NDArray[np.bool_]) -> type[np.unsignedinteger]:
    """The smaller unsigned type that holds all codes and the padding."""
    return np.uint8 if len(combinations) + PADDING <= np.iinfo(np.uint8).max else np.uint16


def regions(combinations: NDArray[np.bool_]) -> list[list[int]]:
    """For each class the codes whose set holds it, and the padding."""
    first = len(combinations) + 1
    padding = list(range(first, first + PADDING))
    return [(np.flatnonzero(column) + 1).tolist() + padding for column in combinations.T]


def _packed(masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Each pixel's classes as bits: (class, height, width) -> (pixel, byte)."""
    return np.packbits(masks.reshape(len(masks), -1).T, axis=1)
