"""The review page: one HTML file that shows the most doubtful cases, worst first, and works offline."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.colors import to_hex

from samcarry.images.colours import class_colours
from samcarry.report.gallery import GalleryCase, Stage, gallery_cases
from samcarry.report.html import render_page

REFINED, PREDICTED = "R: mask drawn by SAM", "P: mask of the first network"


@dataclass(frozen=True)
class ReviewCase:
    """One case on the page.

    Attributes:
        entry: the picture with the contours of R and P; unlabelled cases have no reference.
        rank: rank among all unlabelled cases, from 1.
        doubt: 0 to 1.
        reasons: one sentence per reason, the strongest first.
        class_doubt: {index of a class: doubt}, without classes for which nothing was measured.
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
    """The `shown` most doubtful cases; only these are kept in memory.

    Args:
        ranking: rows of doubt.csv.
        class_doubt: rows of classes.csv.
        images: image stacks of the unlabelled shards.
        refined: stacks of R of the same shards.
        probabilities: stacks of P of the same shards.
        classes: the classes of all stacks, in their order.
        shown: maximum number of cases, which limits the size of the page.
    """
    worst = ranking.head(shown)
    stages = [Stage(REFINED, refined), Stage(PREDICTED, probabilities)]
    entries = gallery_cases(images, [], stages, dict.fromkeys(worst["case"], ""), classes)
    index_of = {name: index for index, name in enumerate(classes)}
    of_class: dict[str, dict[int, float]] = {}
    for case, name, doubt in zip(
        class_doubt["case"], class_doubt["class"], class_doubt["doubt"], strict=True
    ):
        of_class.setdefault(case, {})[index_of[name]] = round(float(doubt), 3)
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
    """The page as HTML; it loads nothing from elsewhere, and all text is escaped.

    Args:
        cases: the cases to show.
        classes: the classes of the stacks, in their order.
        dataset: name of the data set.
        n: number of labelled cases that the first network was trained on.
        seed: seed of the first network.
        total: number of unlabelled cases that were ranked.
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
