"""The review page: one HTML file to look at the most doubtful cases and to mark them; it works offline."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.colors import to_hex

from samcarry.images.colours import class_colours
from samcarry.images.text import read_shown, text_note
from samcarry.report.gallery import Stage, Tile, case_tiles, webp
from samcarry.report.html import render_page
from samcarry.review.marks import MARKS

REFINED, PREDICTED = "SAM's mask (R)", "First network's mask (P)"
MOST_PIXELS = 2048
"""Larger images are shrunk to this length of their longer side, so that a page of 200 cases still opens."""


@dataclass(frozen=True)
class ReviewCase:
    """One case on the page.

    Attributes:
        case: name of the case.
        picture: the user's image as WebP; its lines of text are filled if the config says so.
        size: height and width of the user's image, in pixels.
        tiles: pictures with the contours of R and P; unlabelled cases have no reference.
        rank: rank among all unlabelled cases, from 1.
        doubt: 0 to 1.
        reasons: one sentence per reason, the strongest first.
        class_doubt: {index of a class: doubt}, without classes for which nothing was measured.
        note: what was done to the image, for people; '' for nothing.
        key: digest of what is shown of the case; the browser keeps marks under it, so that no mark is taken
            over to masks that changed.
    """

    case: str
    picture: bytes
    size: tuple[int, int]
    tiles: tuple[Tile, ...]
    rank: int
    doubt: float
    reasons: tuple[str, ...]
    class_doubt: dict[int, float]
    note: str
    key: str


def review_cases(
    ranking: pd.DataFrame,
    class_doubt: pd.DataFrame,
    *,
    images: Mapping[str, Path],
    window: tuple[float, float] | None,
    text_masked: bool,
    refined: Sequence[str],
    probabilities: Sequence[str],
    classes: Sequence[str],
) -> list[ReviewCase]:
    """The most doubtful cases, as many as there are `images`; only these are kept in memory.

    Args:
        ranking: rows of doubt.csv.
        class_doubt: rows of classes.csv.
        images: {case: image file} of the cases to show.
        window: as in `grey.read_grey`.
        text_masked: whether lines of text are filled, see `text.read_shown`.
        refined: stacks of R of the unlabelled shards.
        probabilities: stacks of P of the same shards.
        classes: the classes of all stacks, in their order.
    """
    worst = ranking[ranking["case"].isin(images.keys())]
    stages = [Stage(REFINED, refined), Stage(PREDICTED, probabilities)]
    tiles = case_tiles([], stages, list(images), classes)
    index_of = {name: index for index, name in enumerate(classes)}
    of_class: dict[str, dict[int, float]] = {}
    for case, name, doubt in zip(
        class_doubt["case"], class_doubt["class"], class_doubt["doubt"], strict=True
    ):
        of_class.setdefault(case, {})[index_of[name]] = round(float(doubt), 3)
    found = []
    rows = zip(worst["case"], worst["rank"], worst["doubt"], worst["reason"], strict=True)
    for case, rank, doubt, reason in rows:
        image, filled = read_shown(images[case], window, text_masked)
        picture = webp(image, MOST_PIXELS)
        found.append(
            ReviewCase(
                case,
                picture,
                image.shape,
                tuple(tiles[case]),
                int(rank),
                float(doubt),
                tuple(reason.split("; ")) if reason else (),
                of_class.get(case, {}),
                text_note(filled),
                _key(case, picture, tiles[case], classes),
            )
        )
    return found


def _key(case: str, picture: bytes, tiles: Sequence[Tile], classes: Sequence[str]) -> str:
    shown = repr((case, tuple(classes), tiles)).encode() + picture
    return hashlib.sha256(shown).hexdigest()[:16]


def render_review(
    cases: Sequence[ReviewCase],
    classes: Sequence[str],
    *,
    size: tuple[int, int],
    dataset: str,
    n: int,
    seed: int,
    total: int,
    task: str | None,
) -> str:
    """The page as HTML; it loads nothing from elsewhere, and all text is escaped.

    Args:
        cases: the cases to show.
        classes: the classes of the stacks, in their order.
        size: height and width of the stacks, in pixels.
        dataset: name of the data set.
        n: number of labelled cases that the first network was trained on.
        seed: seed of the first network.
        total: number of unlabelled cases that were ranked.
        task: address of the task in CVAT; None if there is no link.
    """
    return render_page(
        "samcarry.review",
        cases=cases,
        classes=classes,
        colours=[to_hex(colour) for colour in class_colours(len(classes))],
        marks=MARKS,
        size=size,
        dataset=dataset,
        n=n,
        seed=seed,
        total=total,
        task=task,
    )
