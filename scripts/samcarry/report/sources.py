"""What the report tells, read from the files of a run."""

import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from samcarry.data.manifest import ManifestRow, judged_split, read_manifest
from samcarry.evaluation.summary import case_dice, read_dice
from samcarry.methods import in_order, method_of
from samcarry.report.figures import rank_cases, spread_over_ranks
from samcarry.report.gallery import GalleryCase, Stage, gallery_cases
from samcarry.report.page import Picture, Report, Tuned, how_to_trace, limitations, plain_findings
from samcarry.report.provenance import about_model, model_table, stack_table, time_and_memory, versions_of
from samcarry.report.tables import (
    class_table,
    cost_table,
    difference_table,
    main_differences,
    method_table,
    numbered_notes,
    plain_table,
    presence_table,
    split_table,
)
from samcarry.storage.frames import read_frame
from samcarry.storage.stacks import read_header

Files = Mapping[str, Sequence[str]]
"""Lists of paths by what they are; a name that is not there stands for an empty list."""


def read_report(
    files: Files, *, n: int, seed: int, config: Mapping[str, Any], benchmarks: str | Path, shown: int
) -> Report:
    """Everything that the page tells.

    Args:
        files: manifest, classes, dice, table1, differences, per_class; ablation, qualitative and training
            (pictures); tuned, answers, tuning (settings, CSV and picture of each refiner, in one order);
            models; images, masks, cleaned, prompts of the judged split, and the predictions of each
            method under its id; unlabelled_images, unlabelled_masks, unlabelled_unet,
            unlabelled_cleaned, unlabelled_prompts, unlabelled_unet_sam.
        n: labelled training cases of the main line.
        seed: whose predictions the gallery shows.
        config: of the run.
        benchmarks: folder of the tables of time and memory.
        shown: how many cases of the judged split, and again of the unlabelled ones, the gallery holds.
    """
    rows, cases = read_dice(files["dice"][0]), read_manifest(files["manifest"][0])
    classes = Path(files["classes"][0]).read_text(encoding="utf-8").splitlines()
    table, differences, per_class = (
        _read_table(files[name][0]) for name in ("table1", "differences", "per_class")
    )
    split, methods = judged_split(cases), in_order(rows["method"].unique())
    ranked_by = "ours_r" if "ours_r" in methods else methods[-1]
    judged = _judged_gallery(files, rows, methods, ranked_by, shown, classes)
    made_by = [(path, read_header(path).made_by) for path in _shown_stacks(files, methods)]
    models = files.get("models", ())
    makers = [*(made for _, made in made_by), *(about_model(path)["made_by"] for path in models)]
    source = config["dataset"]
    count = rows["case"].nunique()
    return Report(
        dataset=source,
        split=split,
        size=(config["images"]["height"], config["images"]["width"]),
        classes=classes,
        facts=_facts(config, cases, split, n, rows),
        findings=plain_findings(table, differences, split),
        notes=[_what_dice_is(split), *numbered_notes(table)],
        limits=limitations(config, split, count, rows["seed"].nunique()),
        splits=split_table("Images a split; full supervision alone reads labels of unlabelled ones", cases),
        presence=presence_table("Labelled images that hold the class", cases, classes),
        methods=method_table(f"Table 1: {source}, n = {n}; mean ± standard deviation over cases", table),
        differences=difference_table("Paired differences in points of Dice", main_differences(differences)),
        all_differences=difference_table("Paired differences in points of Dice, all pairs", differences),
        per_class=class_table("Mean Dice of each class in percent, over the cases that hold it", per_class),
        spent=cost_table("All jobs of a step together, measured by Snakemake", time_and_memory(benchmarks)),
        models=plain_table("Models, their SHA-256 and what they learnt from", model_table(models)),
        stacks=plain_table("First stack of each stage in the gallery", stack_table(made_by)),
        versions=versions_of(makers),
        config=yaml.safe_dump(json.loads(json.dumps(config)), sort_keys=False, allow_unicode=True),
        trace=how_to_trace(source, n, seed, ranked_by),
        pictures=_pictures(files, ranked_by),
        tuned=_tuned(files),
        judged=judged,
        unlabelled=_unlabelled_gallery(files, cases, shown, classes),
        ablation=_ablation(files),
    )  # fmt: skip


def _read_table(path: str) -> pd.DataFrame:
    """Table 1, differences or scores by class."""
    return read_frame(path, ("dataset", "supervision", "method", "against", "class", "missing", "note"))


def _judged_gallery(
    files: Files,
    rows: pd.DataFrame,
    methods: Sequence[str],
    ranked_by: str,
    shown: int,
    classes: Sequence[str],
) -> list[GalleryCase]:
    ranking = rank_cases(rows, ranked_by)
    scores = 100 * case_dice(rows)[ranked_by]
    notes = {
        case: f"Rank {ranking.index(case) + 1} of {len(ranking)} by {method_of(ranked_by).name}: "
        f"Dice {scores[case]:.1f} %, seeds averaged"
        for case in spread_over_ranks(ranking, shown)
    }
    stages = [Stage("P: U-Net (f_θ)", files["unet"])] if files.get("unet") else []
    if files.get("cleaned"):
        stages.append(Stage("cleaned P, prompts", files["cleaned"], files.get("prompts", ())))
    if files.get("unet_sam"):
        stages.append(Stage("R: U-Net + SAM", files["unet_sam"]))
    others = [method for method in methods if method not in ("unet", "unet_sam") and files.get(method)]
    stages += [Stage(method_of(method).name, files[method]) for method in others]
    return gallery_cases(files["images"], files["masks"], stages, notes, classes)


def _unlabelled_gallery(
    files: Files, cases: Sequence[ManifestRow], shown: int, classes: Sequence[str]
) -> list[GalleryCase]:
    images = files.get("unlabelled_images", ())
    held = {case for path in images for case in read_header(path).cases}
    unlabelled = [row.case for row in cases if row.split == "unlabelled" and row.case in held]
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
    references = files.get("unlabelled_masks", ())
    told = "Its reference was hidden from all methods but full supervision" if references else "No reference"
    notes = dict.fromkeys(spread_over_ranks(unlabelled, shown), told)
    return gallery_cases(images, references, stages, notes, classes)


def _shown_stacks(files: Files, methods: Sequence[str]) -> list[str]:
    """The first stack of each stage."""
    names = ("images", "masks", "cleaned", *methods)
    return [files[name][0] for name in names if files.get(name)]


def _facts(
    config: Mapping[str, Any], cases: Sequence[ManifestRow], split: str, n: int, rows: pd.DataFrame
) -> dict[str, str]:
    unlabelled = sum(row.split == "unlabelled" for row in cases)
    return {
        "Labelled images": str(n),
        "Unlabelled images": str(unlabelled),
        "Judged on": f"{rows['case'].nunique()} {split} images",
        "Trainings of each network": str(rows["seed"].nunique()),
        "SAM": str(config["sam"]["model"]),
    }


def _what_dice_is(split: str) -> str:
    return (
        f"Dice on the {split} split in percent; a case's Dice is the mean over the classes that its "
        "reference holds, and the seeds of a case are averaged first. 'Seeds ±' is the deviation of the "
        "mean over seeds. HD95, the 95 % Hausdorff distance, is in pixels at network size; less is better. "
        "False positives are the share of absent classes that are drawn all the same. Bold: the best of "
        "the paper's methods with few labels."
    )


def _pictures(files: Files, ranked_by: str) -> list[Picture]:
    pictures = [
        Picture(
            path,
            f"The {place} case by {method_of(ranked_by).name}",
            "Reference and methods side by side, one colour a class; below each its Dice over the classes.",
        )
        for place, path in zip(("best", "median", "worst"), files.get("qualitative", ()), strict=False)
    ]
    pictures += [
        Picture(path, "Training", "Loss over iterations of each network, a line a seed.")
        for path in files.get("training", ())
    ]
    return pictures


def _ablation(files: Files) -> Picture | None:
    caption = (
        "Dice of each method over the number of labelled training images: boxes over cases, lines "
        "through the means."
    )
    paths = files.get("ablation", ())
    return Picture(paths[0], "Fewer and more labels", caption) if paths else None


def _tuned(files: Files) -> list[Tuned]:
    found = zip_longest(files.get("tuned", ()), files.get("answers", ()), files.get("tuning", ()))
    tuned = []
    for settings, answers, picture in found:
        title = Path(settings).stem.replace("_", " ")
        caption = "Gain of each trial over f_θ by each setting; bars are medians, the star is the best trial."
        tuned.append(
            Tuned(
                title,
                Path(settings).read_text(encoding="utf-8"),
                plain_table("What the trials say: gain in points of Dice", pd.read_csv(answers))
                if answers
                else None,
                Picture(picture, f"Tuning of {title}", caption) if picture else None,
            )
        )
    return tuned
