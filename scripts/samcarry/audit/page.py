"""The page of an audit: one HTML file with the given masks beside those of networks that did not see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from samcarry.audit.agreement import Judged
from samcarry.audit.table import Row
from samcarry.images.colours import class_colours
from samcarry.report.gallery import outline, webp
from samcarry.report.html import render_page
from samcarry.storage.probabilities import foreground

YOURS, NETWORKS, RADIOGRAPH = "Your label", "Networks that did not learn from it", "Radiograph"


@dataclass(frozen=True)
class Tile:
    """One picture: its title, the case whose image it shows, and contours as (class, is concerned, path)."""

    title: str
    case: str
    shapes: tuple[tuple[int, bool, str], ...]


@dataclass(frozen=True)
class Shown:
    """One finding on the page, with its rank from 1."""

    rank: int
    row: Row
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class About:
    """What the head of the page says.

    Attributes:
        dataset: name of the data set.
        judged: {what kind of labels: number of cases}, in order.
        not_judged: labelled cases that no network could judge.
        share: of the findings that stand out, how many chance may explain, 0..1.
        networks: the smallest and the largest number of networks that judged a case.
        readers: number of masks of several people that were compared.
    """

    dataset: str
    judged: Mapping[str, int]
    not_judged: int
    share: float
    networks: tuple[int, int]
    readers: int


def describe(
    dataset: str, judged: Sequence[Judged], kinds: Mapping[str, Sequence[str]], share: float, readers: int
) -> About:
    """What the head of the page says; `kinds` is {what kind of labels: cases}, judged or not."""
    names = {case.case for case in judged}
    counts = [case.networks for case in judged]
    numbers = {kind: len(names & set(cases)) for kind, cases in kinds.items()}
    return About(
        dataset=dataset,
        judged={kind: number for kind, number in numbers.items() if number},
        not_judged=len({case for cases in kinds.values() for case in cases} - names),
        share=share,
        networks=(min(counts, default=0), max(counts, default=0)),
        readers=readers,
    )


def show(rows: Sequence[Row], judged: Sequence[Judged], classes: Sequence[str]) -> list[Shown]:
    """The findings with their pictures.

    Args:
        rows: those to show, in order.
        judged: the cases that networks judged.
        classes: names of all classes.
    """
    of = {case.case: case for case in judged}
    found = []
    for rank, row in enumerate(rows, start=1):
        concerned = {classes.index(name) for name in row.classes} or set(range(len(classes)))
        tiles = []
        for case in filter(None, (row.case, row.other)):
            if case in of:
                tiles.append(Tile(YOURS, case, _shapes(of[case].given, concerned)))
                tiles.append(Tile(NETWORKS, case, _shapes(foreground(of[case].seen), concerned)))
            tiles.append(Tile(RADIOGRAPH, case, ()))
        found.append(Shown(rank, row, tuple(tiles)))
    return found


def _shapes(masks: NDArray[np.bool_], concerned: set[int]) -> tuple[tuple[int, bool, str], ...]:
    return tuple((index, index in concerned, outline(mask)) for index, mask in enumerate(masks) if mask.any())


def render_audit(
    shown: Sequence[Shown],
    rows: Sequence[Row],
    images: Mapping[str, NDArray[np.uint8]],
    ratios: Mapping[str, tuple[int, int]],
    classes: Sequence[str],
    about: About,
) -> str:
    """The page as HTML; it loads nothing from elsewhere, and all text is escaped.

    Args:
        shown: the findings with their pictures.
        rows: all findings.
        images: {case: prepared image (height, width)}, of all cases shown at least.
        ratios: {case: (height, width) of the user's image}; others have the aspect of the prepared image.
        classes: names of all classes.
        about: what was audited.
    """
    cases = list(dict.fromkeys(tile.case for one in shown for tile in one.tiles))  # sets have no order
    count = sum(row.stands_out for row in rows)
    return render_page(
        "samcarry.audit",
        shown=shown,
        pictures={case: webp(images[case]) for case in cases},
        sizes={case: images[case].shape for case in cases},
        ratios={case: ratios.get(case, images[case].shape) for case in cases},
        classes=classes,
        colours=[to_hex(colour) for colour in class_colours(len(classes))],
        about=about,
        count=count,
        total=len(rows),
        expected=rows[count - 1].by_chance if count else 0.0,
        strongest=rows[0].by_chance if rows else None,
    )
