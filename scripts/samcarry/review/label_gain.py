"""Gain in Dice from labelling more cases: the most doubtful ones compared with random ones."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.evaluation.dice import mean_dice
from samcarry.storage.probabilities import foreground
from samcarry.storage.stacks import Stack
from samcarry.storage.tables import read_table, write_table

DOUBTFUL, NONE = "doubtful", "none"


@dataclass(frozen=True)
class CaseScore:
    """The Dice of one case, predicted by the network of one draw and seed.

    Attributes:
        draw: which cases were added, as in `added_cases`.
        added: number of cases that were added to X^n.
        seed: seed of the network.
        case: name of the case.
        dice: mean over its present classes, 0..1.
    """

    draw: str
    added: int
    seed: int
    case: str
    dice: float


@dataclass(frozen=True)
class GainRow:
    """A row of gain.csv; `mean` in percent, gains in percentage points of Dice over the draw 'none'."""

    draw: str
    added: int
    seeds: int
    cases: int
    mean: float
    gain: float
    gain_per_ten: float | None  # None if nothing was added


def read_ranked_cases(path: str | Path, hidden: Iterable[str]) -> list[str]:
    """The cases of doubt.csv that are among `hidden`, the cases with hidden labels; most doubtful first."""
    correctable = set(hidden)
    return [row["case"] for row in read_table(path, ["case"]) if row["case"] in correctable]


def added_cases(draw: str, ranking: Sequence[str], count: int) -> list[str]:
    """The cases that a draw adds to X^n.

    Args:
        draw: 'none', 'doubtful' for the first of `ranking`, or 'random0', 'random1', …, where the number
            is the seed.
        ranking: all cases that could be corrected, most doubtful first.
        count: how many cases are added; all of them if there are fewer.
    """
    if draw == NONE:
        return []
    if draw == DOUBTFUL:
        return list(ranking[:count])
    # Sorted, so that a random draw does not depend on the ranking.
    order = np.random.default_rng(int(draw.removeprefix("random"))).permutation(len(ranking))
    return [sorted(ranking)[index] for index in order[:count]]


def case_scores(
    images: Stack, references: Stack, predicted: NDArray[np.uint8], *, draw: str, added: int, seed: int
) -> list[CaseScore]:
    """The scores of all labelled cases of one shard.

    Args:
        images: the images of the shard; its cases are those of `predicted`.
        references: reference masks of the labelled cases.
        predicted: probabilities times 255 (case, class, height, width).
        draw: as in `added_cases`.
        added: number of cases that the draw added.
        seed: seed of the network.
    """
    masks = dict(zip(images.cases, foreground(predicted), strict=True))
    scores = []
    for case, truth in zip(references.cases, references.masks, strict=True):
        score = mean_dice(truth, masks[case])
        if score is not None:
            scores.append(CaseScore(draw, added, seed, case, score))
    return scores


def gain_table(scores: Iterable[CaseScore]) -> list[GainRow]:
    """One row per draw, in order of first appearance; the draw 'none' must be among them."""
    by_draw: dict[str, list[CaseScore]] = defaultdict(list)
    for score in scores:
        by_draw[score.draw].append(score)
    base = _mean(by_draw[NONE])
    return [
        GainRow(
            draw,
            found[0].added,
            len({score.seed for score in found}),
            len({score.case for score in found}),
            _mean(found),
            _mean(found) - base,
            10 * (_mean(found) - base) / found[0].added if found[0].added else None,
        )
        for draw, found in by_draw.items()
    ]


def write_gain(path: str | Path, rows: Iterable[GainRow]) -> None:
    """Write gain.csv, atomically."""
    write_table(
        path,
        [field.name for field in fields(GainRow)],
        ([round(value, 4) if isinstance(value, float) else value for value in astuple(row)] for row in rows),
    )


def _mean(scores: Sequence[CaseScore]) -> float:
    """Mean Dice over seeds and cases, in percent."""
    return 100 * float(np.mean([score.dice for score in scores]))
