"""One page on a run that opens offline: what was done, on which data, what came out, and what made it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from matplotlib.colors import to_hex

from samcarry.images.colours import class_colours
from samcarry.methods import method_of
from samcarry.report.gallery import GalleryCase
from samcarry.report.html import render_page
from samcarry.report.tables import Table


@dataclass(frozen=True)
class Picture:
    """A figure of the page: an image file, its title, and a caption that also serves who can't see it."""

    path: str
    title: str
    caption: str


@dataclass(frozen=True)
class Tuned:
    """What was tuned: the settings found (YAML), and answers and picture if there are any."""

    title: str
    settings: str
    answers: Table | None = None
    picture: Picture | None = None


@dataclass(frozen=True)
class Report:
    """Everything on the page, as plain data. Whatever is empty leaves its section out or says so."""

    dataset: str
    split: str  # what methods were judged on
    size: tuple[int, int]  # height and width at network size
    classes: Sequence[str]
    findings: Sequence[str]  # the result in plain sentences
    notes: Sequence[str]  # what a reader of Table 1 has to know
    limits: Sequence[str]
    splits: Table
    presence: Table
    methods: Table
    differences: Table  # those that matter most
    all_differences: Table
    per_class: Table
    spent: Table
    models: Table
    stacks: Table
    versions: Mapping[str, str]
    config: str  # YAML
    trace: Sequence[tuple[str, str]]  # step, path or value
    pictures: Sequence[Picture] = ()
    tuned: Sequence[Tuned] = ()
    judged: Sequence[GalleryCase] = ()
    unlabelled: Sequence[GalleryCase] = ()
    ablation: Picture | None = None
    facts: Mapping[str, str] = field(default_factory=dict)  # short facts for the head of the page


def render(report: Report) -> str:
    """The page as HTML; nothing in it is loaded from elsewhere, and all text is escaped."""
    return render_page(
        "samcarry.report",
        report=report,
        colours=[to_hex(colour) for colour in class_colours(len(report.classes))],
    )


def plain_findings(table: pd.DataFrame, differences: pd.DataFrame, split: str) -> list[str]:
    """What came out, in sentences for a reader who knows no statistics.

    Args:
        table: table1.csv.
        differences: differences.csv.
        split: what methods were judged on.
    """
    known = table.dropna(subset=["mean"]).set_index("method")
    sentences = []
    if "ours_r" in known.index:
        row = known.loc["ours_r"]
        sentences.append(
            f"On {row['cases']} {split} images the final network ({method_of('ours_r').name}) reaches a mean "
            f"Dice of {row['mean']:.1f}\u00a0%. 100\u00a0% would be the reference outlines, pixel by pixel; "
            f"0\u00a0% no overlap at all."
        )
    for found in differences.to_dict("records"):
        if found["against"] == "unet" and found["method"] in ("unet_sam", "ours_r"):
            sentences.append(_difference_sentence(found))
    few = [method for method in known.index if method_of(method).in_paper]
    if few:
        best = known.loc[few, "mean"].idxmax()
        sentences.append(
            f"Of the methods that saw few labels, {method_of(best).name} has the highest mean "
            f"({known.loc[best, 'mean']:.1f} %)."
        )
    return sentences


def _difference_sentence(found: Mapping[Any, Any]) -> str:
    method, against = method_of(found["method"]).name, method_of(found["against"]).name
    direction = "above" if found["difference"] >= 0 else "below"
    text = f"{method} lies {abs(found['difference']):.1f} points of Dice {direction} {against}"
    if pd.isna(found["low"]):
        return f"{text}; there are too few cases for an interval."
    text += f" (95 % interval {found['low']:+.1f} to {found['high']:+.1f})"
    if found["low"] <= 0 <= found["high"]:
        return f"{text}: the interval holds zero, so chance alone could explain it."
    return f"{text}."


def limitations(config: Mapping[str, Any], split: str, cases: int, seeds: int) -> list[str]:
    """What the numbers do not tell, in plain words; some hold always, some for this run.

    Args:
        config: the run's config.
        split: what methods were judged on.
        cases: how many cases were judged.
        seeds: how many times each network was trained.
    """
    limits = [
        "One object a class and image: of several pieces the one with the highest mean probability is kept. "
        "A structure in two parts, such as a fractured bone, may lose one.",
        "SAM redraws what the first network has found. It cannot find a structure that the first network "
        "missed altogether, and where the prediction lies on the wrong object, SAM neatly outlines that one.",
        "Dice is computed at network size, on classes that the reference holds. A class that is drawn where "
        "there is none costs no Dice; the column of false positives tells how often that happens.",
        "Nothing here was checked for clinical use.",
    ]
    if config.get("source", {}).get("format") == "phantom":
        limits.insert(
            0,
            "The images are drawn by a computer (phantoms). They show that all parts work together; they say "
            "nothing about real radiographs.",
        )
    sam = config.get("sam", {})
    if sam.get("models", {}).get(sam.get("model"), {}).get("model") == "tiny":
        limits.append(
            "SAM is the tiny model that comes with samcarry, trained on drawn scenes. The official "
            "checkpoints know far more; numbers with them will differ."
        )
    if split != "test":
        limits.append(
            "There is no test split: methods were judged on validation cases, on which settings may have "
            "been tuned, so that the numbers may flatter."
        )
    if cases < 20:
        limits.append(f"Only {cases} cases were judged: intervals are wide, and one odd case moves a mean.")
    if seeds == 1:
        limits.append("Each network was trained once: how much chance in training matters is not known.")
    return limits


def how_to_trace(dataset: str, n: int, seed: int, method: str) -> list[tuple[str, str]]:
    """The way from a number in Table 1 back to what made it, with the paths of this run."""
    root, own = f"results/{dataset}", f"results/{dataset}/n{n}/seed{seed}"
    job, scores = f"n{n}/seed{seed}/evaluate/{method}", f"{own}/dice/{method}.csv"
    if method == "unet_full":
        own = f"{root}/full/seed{seed}"
        job, scores = f"full/seed{seed}/evaluate", f"{own}/dice.csv"
    return [
        ("A row of Table 1 is the mean over the cases of", f"{root}/dice.csv"),
        (f"Its rows with method {method} and seed {seed} are those of", scores),
        ("which the rule 'evaluate' wrote; its log is", f"{root}/logs/{job}.log"),
        ("Time and memory of that job", f"{root}/benchmarks/{job}.tsv"),
        ("The predictions that were scored; their NIfTI header (made_by) says what made them", f"{own}/"),
        ("The cases, their splits and shards", f"{root}/manifest.csv"),
        ("Make it anew", f"snakemake {scores} --force --cores 8 (and --configfile, as in this run)"),
    ]
