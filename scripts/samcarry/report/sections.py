"""The content of the report, read from the files of a run; one function per section of the page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from samcarry.data.contract import CORRECTED_BY
from samcarry.data.manifest import ManifestRow, judged_split, read_manifest
from samcarry.evaluation.formatting import length_unit
from samcarry.evaluation.intervals import explain_intervals
from samcarry.evaluation.summary import case_dice, read_dice
from samcarry.evaluation.summary_page import explain_differences
from samcarry.evaluation.table1 import RANKS, explain_draws
from samcarry.methods import in_order, method_of
from samcarry.report.figures import rank_cases, spread_over_ranks
from samcarry.report.gallery import GalleryCase, Stage, gallery_cases
from samcarry.report.more_labels import read_more_labels
from samcarry.report.page import (
    Data,
    Gallery,
    Picture,
    Report,
    Scores,
    Settings,
    Study,
    Tuned,
    limitations,
    plain_findings,
)
from samcarry.report.provenance import (
    model_metadata,
    model_table,
    stack_table,
    time_and_memory,
    versions_of,
)
from samcarry.report.sureness import read_sureness
from samcarry.report.tables import (
    Table,
    agreement_table,
    class_table,
    corrections_table,
    cost_table,
    detection_table,
    difference_table,
    main_differences,
    method_table,
    numbered_notes,
    plain_table,
    presence_table,
    split_table,
)
from samcarry.storage.frames import read_frame, read_settings_frame
from samcarry.storage.stacks import read_header
from samcarry.storage.tables import read_table
from samcarry.storage.texts import read_text

TEXTS = (
    "dataset",
    "supervision",
    "method",
    "against",
    "class",
    "group",
    "interval",
    "not_converged",
    "unit",
    "missing",
    "note",
)
"""The columns of Table 1, of differences, and of scores by class and group that are not numbers."""

Files = Mapping[str, Sequence[str]]
"""{kind: paths}; a kind that is missing has no files."""


@dataclass(frozen=True)
class Run:
    """What several sections need.

    Attributes:
        files: the files of the run.
        study: what was run.
        config: the whole config, to be printed.
        n: labelled training cases.
        rows: dice.csv.
        cases: manifest.csv.
        classes: class names.
        split: the split on which methods were evaluated.
        methods: ids of the methods with scores, in the order of Table 1.
        ranked_by: the method by which cases are ranked.
    """

    files: Files
    study: Study
    config: Mapping[str, Any]
    n: int
    rows: pd.DataFrame
    cases: Sequence[ManifestRow]
    classes: Sequence[str]
    split: str
    methods: Sequence[str]
    ranked_by: str


def read_report(
    files: Files,
    *,
    n: int,
    study: Study,
    config: Mapping[str, Any],
    benchmarks: str | Path,
    shown: int,
    trace: Callable[[str], Sequence[tuple[str, str]]],
) -> Report:
    """The content of the page.

    Args:
        files: manifest, classes, dice, table1, differences, per_class, per_group, detection, agreement;
            calibration and coverage, if there are validation cases; label_curve, with three sizes of X^n;
            reliability, ranks, ablation, qualitative and training (pictures); tuned, answers, tuning
            (settings, gains and picture of each refiner, in the same order); models; images, masks, cleaned,
            prompts of the evaluated split, and the predictions of each method under its id;
            unlabelled_images, unlabelled_masks, unlabelled_unet, unlabelled_cleaned, unlabelled_prompts,
            unlabelled_unet_sam; corrected, the cases.csv of a data set with corrections.
        n: labelled training cases of Table 1.
        study: what was run.
        config: the whole config, which is only printed.
        benchmarks: folder with the tables of time and memory.
        shown: number of evaluated cases, and of unlabelled cases, in the gallery.
        trace: from a method to the steps from its numbers back to their origin, as (step, path or command).
    """
    run = _read_run(files, study, config, n)
    return Report(
        dataset=study.dataset,
        split=run.split,
        classes=run.classes,
        facts=_facts(run),
        data=_data(run),
        scores=_scores(run),
        figures=_figures(run),
        gallery=Gallery(_evaluated_cases(run, shown), _unlabelled_cases(run, shown)),
        settings=_settings(run),
        cost=_cost(benchmarks),
        limits=limitations(study, run.split, run.rows["case"].nunique(), run.rows["seed"].nunique()),
        trace=trace(run.ranked_by),
        sureness=read_sureness(
            files.get("calibration", ()), files.get("coverage", ()), run.split, run.ranked_by
        ),
        more_labels=read_more_labels(files.get("label_curve", ()), run.ranked_by, study.margin),
    )


def _read_run(files: Files, study: Study, config: Mapping[str, Any], n: int) -> Run:
    rows, cases = read_dice(files["dice"][0]), read_manifest(files["manifest"][0])
    methods = in_order(rows["method"].unique())
    return Run(
        files=files,
        study=study,
        config=config,
        n=n,
        rows=rows,
        cases=cases,
        classes=read_text(files["classes"][0]).splitlines(),
        split=judged_split(cases),
        methods=methods,
        ranked_by="ours_r" if "ours_r" in methods else methods[-1],
    )


def _facts(run: Run) -> dict[str, str]:
    unlabelled = sum(row.split == "unlabelled" for row in run.cases)
    return {
        "Labelled images": str(run.n),
        "Unlabelled images": str(unlabelled),
        "Evaluated on": f"{run.rows['case'].nunique()} {run.split} images",
        "Trainings of each network": str(run.rows["seed"].nunique()),
        "SAM": run.study.sam,
    }


def _data(run: Run) -> Data:
    return Data(
        size=run.study.size,
        splits=split_table(
            "Images in each split. Only full supervision reads labels of unlabelled images.", run.cases
        ),
        presence=presence_table(
            "Labelled images in which each class is present, by split.", run.cases, run.classes
        ),
        corrections=_corrections(run.files.get("corrected", [])),
    )


def _corrections(paths: Sequence[str]) -> Table | None:
    """The annotators' cases and minutes; None if nothing was corrected on the annotation page."""
    rows = [row for path in paths for row in read_table(path, ["case"]) if row.get(CORRECTED_BY)]
    return (
        corrections_table("Corrections made on the annotation page, without pauses.", rows) if rows else None
    )


def _scores(run: Run) -> Scores:
    table, differences, per_class, per_group, detection, agreement = (
        _read_table(run.files[name][0])
        for name in ("table1", "differences", "per_class", "per_group", "detection", "agreement")
    )
    # Of all methods, these tables would be very long; the files have them all.
    shown = [method for method in ("unet", run.ranked_by) if method in run.methods]
    return Scores(
        findings=plain_findings(table, differences, run.split),
        notes=[
            *_explanations(run.split, table["unit"].iloc[0], run.study.at),
            *explain_draws(table),
            explain_intervals(table),
            RANKS,
            *numbered_notes(table),
        ],
        methods=method_table(
            f"Table 1: {run.study.dataset}, n = {run.n}; mean ± standard deviation over cases.", table
        ),
        differences=difference_table("Paired differences in points of Dice.", main_differences(differences)),
        all_differences=difference_table(
            "Paired differences in points of Dice, all pairs of methods.", differences
        ),
        about_differences=explain_differences(differences, run.study.margin),
        per_class=class_table(
            "Mean Dice of each class in percent, over the cases in which it is present, with its 95 % "
            "interval where there are enough patients.",
            per_class,
        ),
        per_group=class_table("Mean Dice of each group of cases in percent.", per_group, "group"),
        detection=detection_table(
            "Whether a class is in an image; detection.csv has all methods.",
            detection[detection["method"].isin(shown)],
        ),
        agreement=agreement_table(
            "Areas and centres over the images with the class; agreement.csv has all methods.",
            agreement[agreement["method"].isin(shown)],
        ),
    )


def _read_table(path: str) -> pd.DataFrame:
    """Table 1, differences or scores by class."""
    return read_frame(path, TEXTS)


def _explanations(split: str, unit: str, at: str) -> list[str]:
    """Explanations of the columns of Table 1."""
    return [
        f"Dice on the {split} split is in percent. The Dice of a case is the mean over the classes present "
        "in its reference; the seeds of a case are averaged first.",
        "'Seeds ±' is the standard deviation over seeds of the mean Dice.",
        f"HD95 is the 95 % Hausdorff distance in {length_unit(unit, at)}; less is better.",
        "False positives are the share of absent classes that a method draws anyway, in percent.",
        "Bold: the best of the paper's methods with few labels.",
    ]


def _figures(run: Run) -> list[Picture]:
    ablation = [
        Picture(
            path,
            "Effect of the number of labels",
            "Dice of each method for different numbers of labelled training images. Boxes show the spread "
            "over cases; lines connect the means. A thick bar beside a box, where there is one, is the mean "
            "± standard deviation over draws of the labelled cases.",
        )
        for path in run.files.get("ablation", ())[:1]
    ]
    ranks = [
        Picture(
            path,
            "Stability of the ranks",
            "How often each method has each rank by mean Dice if patients are drawn again (bootstrap).",
        )
        for path in run.files.get("ranks", ())
    ]
    qualitative = [
        Picture(
            path,
            f"The {place} case by {method_of(run.ranked_by).name}",
            "Reference and methods side by side, with one colour per class. The Dice over classes is below "
            "each picture.",
        )
        for place, path in zip(("best", "median", "worst"), run.files.get("qualitative", ()), strict=False)
    ]
    training = [
        Picture(path, "Training", "Loss of each network over iterations, with one line per seed.")
        for path in run.files.get("training", ())
    ]
    reliability = [
        Picture(
            path,
            "Reliability",
            "How often what was predicted with some probability is true, before and after the temperature. "
            "On the diagonal, a network is calibrated; below it, it is too sure.",
        )
        for path in run.files.get("reliability", ())
    ]
    return [*ranks, *ablation, *reliability, *qualitative, *training]


def _evaluated_cases(run: Run, shown: int) -> list[GalleryCase]:
    files = run.files
    ranking = rank_cases(run.rows, run.ranked_by)
    scores = 100 * case_dice(run.rows)[run.ranked_by]
    notes = {
        case: f"Rank {ranking.index(case) + 1} of {len(ranking)} by {method_of(run.ranked_by).name}: "
        f"Dice {scores[case]:.1f} %, averaged over seeds"
        for case in spread_over_ranks(ranking, shown)
    }
    stages = [Stage("P: U-Net (f_θ)", files["unet"])] if files.get("unet") else []
    if files.get("cleaned"):
        stages.append(Stage("cleaned P, prompts", files["cleaned"], files.get("prompts", ())))
    if files.get("unet_sam"):
        stages.append(Stage("R: U-Net + SAM", files["unet_sam"]))
    others = [method for method in run.methods if method not in ("unet", "unet_sam") and files.get(method)]
    stages += [Stage(method_of(method).name, files[method]) for method in others]
    return gallery_cases(files["images"], files["masks"], stages, notes, run.classes)


def _unlabelled_cases(run: Run, shown: int) -> list[GalleryCase]:
    files = run.files
    images, references = files.get("unlabelled_images", ()), files.get("unlabelled_masks", ())
    available = {case for path in images for case in read_header(path).cases}
    unlabelled = [row.case for row in run.cases if row.split == "unlabelled" and row.case in available]
    titles = {
        "unlabelled_unet": "P: U-Net (f_θ)",
        "unlabelled_cleaned": "cleaned P, prompts",
        "unlabelled_unet_sam": "R: U-Net + SAM, a pseudo label",
    }
    stages = [
        Stage(title, files[name], files.get("unlabelled_prompts", ()) if name == "unlabelled_cleaned" else ())
        for name, title in titles.items()
        if files.get(name)
    ]
    note = "Its reference was hidden from all methods except full supervision"
    if not references:
        note = "It has no reference"
    notes = dict.fromkeys(spread_over_ranks(unlabelled, shown), note)
    return gallery_cases(images, references, stages, notes, run.classes)


def _settings(run: Run) -> Settings:
    names = ("images", "masks", "cleaned", *run.methods)
    first_stacks = [run.files[name][0] for name in names if run.files.get(name)]
    origins = [(path, read_header(path).made_by) for path in first_stacks]
    models = run.files.get("models", ())
    records = [*(made_by for _, made_by in origins), *(model_metadata(path)["made_by"] for path in models)]
    config = json.loads(json.dumps(run.config))  # plain types for YAML
    return Settings(
        tuned=_tuned(run.files),
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        versions=versions_of(records),
        models=plain_table(
            "Models, their SHA-256 and what they were trained on.",
            model_table(models).rename(columns={"sha256": "SHA-256"}),
        ),
        stacks=plain_table("The first file of each stage in the gallery.", stack_table(origins)),
    )


def _tuned(files: Files) -> list[Tuned]:
    studies = zip_longest(files.get("tuned", ()), files.get("answers", ()), files.get("tuning", ()))
    tuned = []
    for settings, gains, picture in studies:
        title = Path(settings).stem.replace("_", " ")
        caption = "Gain of each trial over f_θ, by setting. Bars are medians; the star marks the best trial."
        tuned.append(
            Tuned(
                title,
                read_text(settings),
                _gain_table(gains) if gains else None,
                Picture(picture, f"Tuning of {title}", caption) if picture else None,
            )
        )
    return tuned


def _gain_table(path: str) -> Table:
    heads = {"question": "setting", "answer": "value", "settings": "different trials"}
    gains = read_settings_frame(path).rename(columns=heads)
    return plain_table("Gain in points of Dice for each setting.", gains)


def _cost(benchmarks: str | Path) -> Table:
    return cost_table(
        "Time of all jobs of a step together, and memory of the largest process of its jobs.",
        time_and_memory(benchmarks),
    )
