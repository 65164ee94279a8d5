"""Two people who labelled the same image and differ more than others do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from samcarry.audit.chance import fit_tail

_MIN_SCALE = 0.03
"""Lower limit of the scale of the tail of disagreements, in Dice."""


@dataclass(frozen=True)
class Difference:
    """A class that several people labelled in one case.

    Attributes:
        case: name of the case.
        name: the class.
        dice: mean Dice of every two of them, 0..1; 0 if only one of two drew it.
        by_chance: how many disagreements at least as strong chance gives.
    """

    case: str
    name: str
    dice: float
    by_chance: float = 0.0


def find_differences(cases: Sequence[str], names: Sequence[str], dice: Sequence[float]) -> list[Difference]:
    """Each class of each case with the chance of such a disagreement, judged by those of the same class.

    Args:
        cases: case of each row.
        names: class of each row.
        dice: mean Dice of each row, 0..1.
    """
    by_class: dict[str, list[float]] = {}
    for name, value in zip(names, dice, strict=True):
        by_class.setdefault(name, []).append(value)
    usual = {name: float(np.median(values)) for name, values in by_class.items()}
    lost = np.array([usual[name] - value for name, value in zip(names, dice, strict=True)])
    tail = fit_tail(lost, 0.5, 0.8, _MIN_SCALE)
    return [
        Difference(case, name, value, len(lost) * tail.chance(less))
        for case, name, value, less in zip(cases, names, dice, lost.tolist(), strict=True)
    ]
