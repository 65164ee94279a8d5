"""The cases of an audit: given masks, and the mean of the networks that did not learn from them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samcarry.audit.agreement import Judged
from samcarry.storage.stacks import read_shards, read_stack


def read_judged(
    masks: Sequence[str],
    predictions: Sequence[str],
    predicted: Sequence[Sequence[str]],
    classes: Sequence[str],
) -> list[Judged]:
    """The labelled cases that a network judged, in the order of the predictions.

    Args:
        masks: stacks of prepared masks.
        predictions: stacks of probabilities.
        predicted: for each of them, the cases whose labels its network did not learn from.
        classes: names of all classes, in the order wanted.
    """
    sums: dict[str, NDArray[np.uint16]] = {}
    counts: dict[str, int] = {}
    for path, cases in zip(predictions, predicted, strict=True):
        stack = read_stack(path, cases=cases, classes=classes)
        for case, values in zip(stack.cases, stack.values, strict=True):
            sums[case] = sums[case] + values if case in sums else values.astype(np.uint16)
            counts[case] = counts.get(case, 0) + 1
    given = read_shards(masks, list(sums), classes)
    return [
        Judged(case, given[case], (total / counts[case]).round().astype(np.uint8), counts[case])
        for case, total in sums.items()
        if case in given
    ]
