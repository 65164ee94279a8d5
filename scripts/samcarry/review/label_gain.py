"""What ten corrected cases are worth: the most doubtful ones against as many drawn at random."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.evaluation.dice import mean_dice
from samcarry.storage.probabilities import THRESHOLD
from samcarry.storage.stacks import Stack
from samcarry.storage.tables import read_table, write_table

DOUBTFUL, NONE = "doubtful", "none"


@dataclass(frozen=True)
class CaseScore:
    """Mean Dice over the present classes of one case, 0 to 1, by the network of a draw and seed."""

    draw: str
    added: int  # cases that were added to X^n
    seed: int
    case: str
    dice: float


@dataclass(frozen=True)
class Gain:
    """A row of gain.csv; `mean` in percent, gains in points of Dice above the draw 'none'."""

    draw: str
    added: int
    seeds: int
    cases: int
    mean: float
    gain: float
    gain_per_ten: float | None  # None where nothing was added


def read_ranking(path: str | Path, hidden: Iterable[str]) -> list[str]:
    """The cases of doubt.csv that have hidden labels, most doubtful first."""
    known = set(hidden)
    return [row["case"] for row in read_table(path, ["case"]) if row["case"] in known]


def added_cases(draw: str, ranking: Sequence[str], count: int) -> list[str]:
    """The cases that a draw adds to X^n.

    Args:
        draw: 'none', 'doubtful' for the first of `ranking`, or 'random0', 'random1', …, the number of
            which draws.
        ranking: all cases that could be corrected, most doubtful first.
        count: how many are added, all of them if there are fewer.
    """
    if draw == NONE:
        return []
    if draw == DOUBTFUL:
        return list(ranking[:count])
    # Sorted, so that a draw does not depend on the ranking that it is compared with.
    order = np.random.default_rng(int(draw.removeprefix("random"))).permutation(len(ranking))
    return [sorted(ranking)[place] for place in order[:count]]


def case_scores(
    images: Stack, references: Stack, predicted: NDArray[np.uint8], *, draw: str, added: int, seed: int
) -> list[CaseScore]:
    """Scores of one shard.

    Args:
        images: of the shard; tells the cases of `predicted`.
        references: masks of its labelled cases.
        predicted: probabilities times 255 (case, class, height, width).
        draw: as in `added_cases`.
        added: how many cases the draw added.
        seed: of the network.
    """
    masks = dict(zip(images.cases, predicted > THRESHOLD, strict=True))
    scores = []
    for case, truth in zip(references.cases, references.masks, strict=True):
        score = mean_dice(truth, masks[case])
        if score is not None:
            scores.append(CaseScore(draw, added, seed, case, score))
    return scores


def gain_table(scores: Iterable[CaseScore]) -> list[Gain]:
    """What each draw came to, in the order met; the draw 'none' has to be among them."""
    by_draw: dict[str, list[CaseScore]] = defaultdict(list)
    for score in scores:
        by_draw[score.draw].append(score)
    base = _mean(by_draw[NONE])
    return [
        Gain(
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


def write_gain(path: str | Path, rows: Iterable[Gain]) -> None:
    """Write gain.csv, atomically."""
    write_table(
        path,
        [field.name for field in fields(Gain)],
        ([round(value, 4) if isinstance(value, float) else value for value in astuple(row)] for row in rows),
    )


def _mean(scores: Sequence[CaseScore]) -> float:
    """Mean Dice over seeds and cases, in percent."""
    return 100 * float(np.mean([score.dice for score in scores]))
