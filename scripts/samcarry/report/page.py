"""The report page: one HTML file that describes a run and works offline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.colors import to_hex

from samcarry.images.colours import class_colours
from samcarry.methods import method_of
from samcarry.report.gallery import GalleryCase
from samcarry.report.html import render_page
from samcarry.report.sureness import SurenessSection
from samcarry.report.tables import Table


@dataclass(frozen=True)
class Study:
    """What was run, as far as the page has to know it.

    Attributes:
        dataset: its name.
        size: (height, width) of the prepared images.
        sam: the name of the SAM that refined.
        sam_is_tiny: whether it is the tiny SAM of the repository.
        images_are_drawn: whether the images are phantoms.
        margin: difference in points of Dice up to which methods count as equal; None if there is none.
        at: 'network' or 'native', the size at which masks were scored.
    """

    dataset: str
    size: tuple[int, int]
    sam: str
    sam_is_tiny: bool
    images_are_drawn: bool
    margin: float | None = None
    at: str = "network"


@dataclass(frozen=True)
class Picture:
    """A figure on the page: an image file, its title, and a caption that doubles as alt text."""

    path: str
    title: str
    caption: str


@dataclass(frozen=True)
class Data:
    """Section 'Data'.

    Attributes:
        size: height and width of images at network size.
        splits: images in each split.
        presence: images in which each class is present.
        corrections: cases and minutes of each annotator; None if no annotation page was used.
    """

    size: tuple[int, int]
    splits: Table
    presence: Table
    corrections: Table | None = None


@dataclass(frozen=True)
class Scores:
    """Section 'Results', and the findings at the top of the page.

    Attributes:
        findings: the main results in plain sentences.
        notes: explanations of Table 1.
        methods: Table 1.
        differences: the paired differences that matter most.
        all_differences: all paired differences.
        about_differences: explanation of the differences.
        per_class: Dice by class.
        per_group: Dice by group of cases; without rows if there are no groups.
        detection: whether classes are found where they are, and only there.
        agreement: agreement of areas and centres.
    """

    findings: Sequence[str]
    notes: Sequence[str]
    methods: Table
    differences: Table
    all_differences: Table
    about_differences: str
    per_class: Table
    per_group: Table
    detection: Table
    agreement: Table


@dataclass(frozen=True)
class MoreLabels:
    """Section 'How many more labels?': what the learning curve of the final network says, and by class."""

    sentences: Sequence[str]
    gains: Table


@dataclass(frozen=True)
class Gallery:
    """Section 'Gallery': cases of the evaluated split, and unlabelled cases."""

    evaluated: Sequence[GalleryCase] = ()
    unlabelled: Sequence[GalleryCase] = ()


@dataclass(frozen=True)
class Tuned:
    """One tuning study: the best settings as YAML, gains by parameter and a picture, if there are any."""

    title: str
    settings: str
    gains: Table | None = None
    picture: Picture | None = None


@dataclass(frozen=True)
class Settings:
    """Section 'Settings'.

    Attributes:
        tuned: the tuning studies.
        config: the config as YAML.
        versions: {package: version}.
        models: the model files.
        stacks: what made the files in the gallery.
    """

    tuned: Sequence[Tuned]
    config: str
    versions: Mapping[str, str]
    models: Table
    stacks: Table


@dataclass(frozen=True)
class Report:
    """Everything on the page as plain data; the page leaves out what is empty, or says so.

    Attributes:
        dataset: name of the data set.
        split: the split on which methods were evaluated.
        classes: class names.
        facts: short facts for the head of the page.
        data: section 'Data'.
        scores: section 'Results'.
        sureness: section 'Confidence'; None without validation cases.
        more_labels: section 'How many more labels?'; None with fewer than three sizes of X^n.
        figures: section 'Figures'.
        gallery: section 'Gallery'.
        settings: section 'Settings'.
        cost: section 'Time and memory'.
        limits: section 'Limitations'.
        trace: section 'How to trace a number', as (step, path or value).
    """

    dataset: str
    split: str
    classes: Sequence[str]
    facts: Mapping[str, str]
    data: Data
    scores: Scores
    figures: Sequence[Picture]
    gallery: Gallery
    settings: Settings
    cost: Table
    limits: Sequence[str]
    trace: Sequence[tuple[str, str]]
    sureness: SurenessSection | None = None
    more_labels: MoreLabels | None = None


def render(report: Report) -> str:
    """The page as HTML; it loads nothing from elsewhere, and all text is escaped."""
    return render_page(
        "samcarry.report",
        report=report,
        colours=[to_hex(colour) for colour in class_colours(len(report.classes))],
    )


def plain_findings(table: pd.DataFrame, differences: pd.DataFrame, split: str) -> list[str]:
    """The main results in sentences for readers without knowledge of statistics.

    Args:
        table: table1.csv.
        differences: differences.csv.
        split: the split on which methods were evaluated.
    """
    known = table.dropna(subset=["mean"]).set_index("method")
    sentences = []
    if "ours_r" in known.index:
        row = known.loc["ours_r"]
        sentences.append(
            f"On {row['cases']} {split} images, the final network ({method_of('ours_r').name}) reaches a "
            f"mean Dice of {row['mean']:.1f}\u00a0%. 100\u00a0% means that the masks equal the "
            "reference in every pixel; 0\u00a0% means no overlap."
        )
    for difference in differences.to_dict("records"):
        by_sam = difference["against"] == "unet" and difference["method"] in ("unet_sam", "ours_r")
        if by_sam or difference["primary"] == 1:
            sentences.append(_difference_sentence(difference))
    few_labels = [method for method in known.index[known["rank"].notna()] if method_of(method).in_paper]
    if few_labels:
        best = known.loc[few_labels, "mean"].idxmax()
        sentences.append(
            f"Among the paper's methods, which use few labels, {method_of(best).name} has the highest mean "
            f"Dice ({known.loc[best, 'mean']:.1f}\u00a0%)."
        )
    return sentences


def _difference_sentence(row: Mapping[Any, Any]) -> str:
    method, against = method_of(row["method"]).name, method_of(row["against"]).name
    direction = "above" if row["difference"] >= 0 else "below"
    text = f"The mean Dice of {method} is {abs(row['difference']):.1f} points {direction} that of {against}"
    if pd.isna(row["low"]):
        return f"{text}; there are too few patients for a confidence interval."
    text += f" (95\u00a0% interval {row['low']:+.1f} to {row['high']:+.1f})"
    if row["equal"] == 1:
        return f"{text}. Within the margin that was set in advance, the two are equal."
    if row["low"] <= 0 <= row["high"]:
        return f"{text}. The interval contains zero, so the difference could be due to chance."
    return f"{text}."


def limitations(study: Study, split: str, cases: int, seeds: int) -> list[str]:
    """What the figures do not show, in plain sentences; some limits always apply, others only to this run.

    Args:
        study: what was run.
        split: the split on which methods were evaluated.
        cases: number of evaluated cases.
        seeds: number of trainings of each network.
    """
    limits = [
        "Each image has at most one object per class: if there are several pieces, only the one with the "
        "highest mean probability is kept. A structure in two parts, such as a fractured bone, may lose "
        "one of them.",
        "SAM only refines what the first network found. It cannot recover a structure that the first network "
        "missed completely. Where the prediction is on the wrong object, SAM outlines the wrong object.",
        f"Dice is computed at {'network size' if study.at == 'network' else 'the size of the images'}, for "
        "classes that are present in the reference. Drawing an absent class does not lower Dice; the column "
        "'False positives' and the specificity of each class show how often this happens.",
        "None of this has been validated for clinical use.",
    ]
    if study.images_are_drawn:
        limits.insert(
            0,
            "The images are phantoms, drawn by a computer. They show that the pipeline works; they say "
            "nothing about real radiographs.",
        )
    if study.sam_is_tiny:
        limits.append(
            "SAM is the tiny SAM included with samcarry, which was trained on synthetic scenes. The official "
            "checkpoints were trained on far more data; results with them will differ."
        )
    if split != "test":
        limits.append(
            "There is no test split: methods were evaluated on validation cases, on which settings may have "
            "been tuned. The scores may therefore be too optimistic."
        )
    if cases < 20:
        limits.append(
            f"Only {cases} cases were evaluated: intervals are wide, and one odd case shifts a mean."
        )
    if seeds == 1:
        limits.append("Each network was trained only once, so the effect of chance in training is unknown.")
    return limits
