"""The page to leaf through the most doubtful cases, worst first; it opens offline and is a single file."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.colors import to_hex

from samcarry.images.colours import class_colours
from samcarry.report.gallery import GalleryCase, Stage, gallery_cases
from samcarry.report.html import render_page

REFINED, PREDICTED = "R: what SAM drew", "P: what the first network saw"


@dataclass(frozen=True)
class ReviewCase:
    """One case of the page.

    Attributes:
        entry: its picture with the contours of R and P; no reference, as of an unlabelled case.
        rank: its place among all unlabelled cases, from 1.
        doubt: 0 to 1.
        reasons: the strongest first, a sentence each.
        class_doubt: {place of a class: doubt}, classes of which nothing is known left out.
    """

    entry: GalleryCase
    rank: int
    doubt: float
    reasons: tuple[str, ...]
    class_doubt: dict[int, float]


def review_cases(
    ranking: pd.DataFrame,
    class_doubt: pd.DataFrame,
    *,
    images: Sequence[str],
    refined: Sequence[str],
    probabilities: Sequence[str],
    classes: Sequence[str],
    shown: int,
) -> list[ReviewCase]:
    """The `shown` most doubtful cases; of each shard only these stay in memory.

    Args:
        ranking: rows of doubt.csv.
        class_doubt: rows of classes.csv.
        images: stacks of the unlabelled shards, and so on.
        refined: R of the same shards.
        probabilities: P of the same shards.
        classes: of all stacks, in their order.
        shown: how many cases, so that the page stays small whatever the data set.
    """
    worst = ranking.head(shown)
    stages = [Stage(REFINED, refined), Stage(PREDICTED, probabilities)]
    entries = gallery_cases(images, [], stages, dict.fromkeys(worst["case"], ""), classes)
    place = {name: index for index, name in enumerate(classes)}
    of_class: dict[str, dict[int, float]] = {}
    for case, name, doubt in zip(
        class_doubt["case"], class_doubt["class"], class_doubt["doubt"], strict=True
    ):
        of_class.setdefault(case, {})[place[name]] = round(float(doubt), 3)
    rows = zip(entries, worst["rank"], worst["doubt"], worst["reason"], strict=True)
    return [
        ReviewCase(
            entry,
            int(rank),
            float(doubt),
            tuple(reason.split("; ")) if reason else (),
            of_class.get(entry.case, {}),
        )
        for entry, rank, doubt, reason in rows
    ]


def render_review(
    cases: Sequence[ReviewCase], classes: Sequence[str], *, dataset: str, n: int, seed: int, total: int
) -> str:
    """The page as HTML; nothing in it is loaded from elsewhere, and all text is escaped.

    Args:
        cases: what is shown.
        classes: of the stacks, in their order.
        dataset: its name.
        n: how many labelled cases R comes from.
        seed: of the network R comes from.
        total: how many unlabelled cases were ranked.
    """
    return render_page(
        "samcarry.review",
        cases=cases,
        classes=classes,
        colours=[to_hex(colour) for colour in class_colours(len(classes))],
        dataset=dataset,
        n=n,
        seed=seed,
        total=total,
    )
