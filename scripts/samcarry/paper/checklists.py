"""CLAIM 2024 and TRIPOD+AI, filled in as far as the pipeline knows; what it cannot know is marked.

The items are given in short and in our own words. The wording that counts is that of the publications.
"""

from collections.abc import Mapping
from typing import Any

from samcarry.methods import SECOND_READER
from samcarry.paper.checklist_items import CLAIM, CLAIM_SOURCE, TRIPOD, TRIPOD_SOURCE, Items
from samcarry.paper.document import BLANK, Document, Grid, Paragraph, Section, Sentence, say
from samcarry.paper.results import network_input, ranked_method
from samcarry.paper.sources import Sources

_HEADS = ("Item", "In short", "Filled in by the pipeline")


def claim(sources: Sources, about: Mapping[str, Any]) -> Document:
    """The CLAIM 2024 checklist."""
    return _checklist("CLAIM 2024", CLAIM_SOURCE, CLAIM, sources, about)


def tripod(sources: Sources, about: Mapping[str, Any]) -> Document:
    """The TRIPOD+AI checklist."""
    return _checklist("TRIPOD+AI", TRIPOD_SOURCE, TRIPOD, sources, about)


def _checklist(
    title: str,
    publication: str,
    groups: tuple[tuple[str, Items], ...],
    sources: Sources,
    about: Mapping[str, Any],
) -> Document:
    answers = _answers(sources, about)
    count = sum(answer is None for _, items in groups for _, _, answer in items)
    total = sum(len(items) for _, items in groups)
    note = Paragraph(
        (
            (f"Items in short and in other words: take the official wording from {publication}.",),
            (
                "Numbers, order and subjects of the items were compared with a copy of the published list, "
                "not with the article itself.",
            ),
            (
                f"{total - count} of {total} items are filled in as far as the pipeline knows; {count} are "
                f"blank and marked.",
            ),
            ("What is filled in describes this run only; check it before you submit it.",),
        )
    )
    sections = [Section("How to use this list", (note,))]
    for name, items in groups:
        rows = tuple(
            ((number,), (text,), answers[key] if key else (BLANK.format(text),))
            for number, text, key in items
        )
        sections.append(Section(name, (Grid((f"{title}, {name.lower()}",), _HEADS, rows),)))
    return Document(f"{title}: {sources.setting('dataset').text}", tuple(sections))


def _answers(sources: Sources, about: Mapping[str, Any]) -> dict[str, Sentence]:
    table1, flow = "data/table1.csv", "data/flow.csv"
    judged = {
        name: sources.number(flow, name, ".0f", split=about["split"]) for name in ("images", "patients")
    }
    left_out = sources.number(flow, "images", ".0f", split="left out")
    trained = sources.setting("n")
    seeds = sources.setting("seeds")
    method = ranked_method(sources)
    todo = BLANK.format
    prepared = say(
        "Images were converted to grey values and resized to {height} × {width} pixels; files were checked "
        "for damage, copies of images and patients in two splits. ",
        **network_input(sources),
    )
    readers = sources.find(table1, method=SECOND_READER)
    return {
        "kind": (
            "Deep learning: semantic segmentation by U-Nets, trained on few labels and on pseudo labels "
            "refined by Segment Anything. The run develops models and evaluates them on held-out cases. ",
            todo("title, population and purpose"),
        ),
        "objectives": (
            "Both: the run develops models and evaluates them on held-out cases. ",
            todo("aims and hypotheses"),
        ),
        "source": say(
            "{images} images of {patients} patients; format of the source: {form}. {todo}",
            images=sources.number(flow, "images", ".0f", split="all"),
            patients=sources.number(flow, "patients", ".0f", split="all"),
            form=sources.setting("source.format"),
            todo=todo("where the images come from, when they were taken, how representative they are"),
        ),
        "preprocessing": (*prepared, todo("steps before the import")),
        "quality": (
            *prepared,
            todo("steps before the import, and whether they were the same in all groups"),
        ),
        "predictor_scale": say(
            "Each pixel of a grey image of {height} × {width} pixels is an input{window}.",
            **network_input(sources),
        ),
        "subset": say(
            "{n} of the training images were used with labels, in a nested order that was fixed before "
            "training.",
            n=trained,
        ),
        "names": (
            "In this folder, names of cases and patients are replaced by numbers. ",
            todo("images themselves"),
        ),
        "missing": say(
            "Unlabelled images were used without labels. Classes absent from an image count for false "
            "positives only. The pipeline left out {left_out} images (section Participants). {todo}",
            left_out=left_out,
            todo=todo("what was missing before the import"),
        ),
        "reference": (
            f"Masks of {len(about['classes'])} classes: {', '.join(about['classes'])}. ",
            todo("who drew them, with what instructions and tool"),
        ),
        "outcome": (
            f"Masks of {len(about['classes'])} classes in the same image, without a time horizon: "
            f"{', '.join(about['classes'])}. ",
            todo("why these, who drew them, how and when, and whether alike in all groups"),
        ),
        "readers": say(
            "Dice between two people: {mean} %, {cases} images. {todo}",
            mean=sources.mean(table1, "mean", method=SECOND_READER),
            cases=sources.number(table1, "cases", ".0f", method=SECOND_READER),
            todo=todo("variability within annotators"),
        )
        if readers
        else (
            "The data have one set of masks for each image, so nothing was measured. ",
            todo("known from elsewhere"),
        ),
        "partitions": say(
            "{train} images for training, {val} for validation, {test} for testing and {unlabelled} "
            "unlabelled, given in the data set or drawn at random by patient. {todo}",
            **{
                split: sources.number(flow, "images", ".0f", split=split)
                for split in ("train", "val", "test", "unlabelled")
            },
            todo=todo("which of the two, and whether the splits are those of an earlier study"),
        ),
        "disjoint": ("Patient: no patient is in two of train, val and test.",)
        if about["patients_named"]
        else ("Image: the data do not name patients. ", todo("whether patients are disjoint")),
        "size": say(
            "No sample size was computed by the pipeline: {images} images of {patients} patients were "
            "evaluated. {todo}",
            **judged,
            todo=todo("how the number was decided"),
        ),
        "sizes": say(
            "No sample size was computed by the pipeline. Development: {n} labelled and {unlabelled} "
            "unlabelled images; evaluation: {images} images of {patients} patients. {todo}",
            n=trained,
            unlabelled=sources.number(flow, "images", ".0f", split="unlabelled"),
            **judged,
            todo=todo("how the numbers were decided, and whether they suffice"),
        ),
        "model": say(
            "U-Net with {width} channels at full resolution and {depth} halvings, {height} × {width_px} "
            "pixels in, one sigmoid output per class; see Methods.",
            width=sources.setting("training.width"),
            depth=sources.setting("training.depth"),
            height=sources.setting("images.height"),
            width_px=sources.setting("images.width"),
        ),
        "building": say(
            "U-Net with {width} channels at full resolution and {depth} halvings, trained for {iterations} "
            "iterations; tuned on the validation split with {trials} trials per study (0: not at all), and "
            "evaluated on the {split} split; see Methods. {todo}",
            width=sources.setting("training.width"),
            depth=sources.setting("training.depth"),
            iterations=sources.setting("training.iterations"),
            trials=sources.setting("tuning.trials"),
            split=about["split"],
            todo=todo("why this type of model"),
        ),
        "software": say(
            "samcarry {version}; every package with its version is in sbom.cdx.json.",
            version=sources.setting("version.samcarry"),
        ),
        "start": say(
            "f_θ and f_φ: random weights, from the seeds {seeds}; for others, see Methods.", seeds=seeds
        ),
        "training": say(
            "{iterations} iterations with Adam, batch size {batch}, learning rate {first} to {last}; see "
            "Methods.",
            iterations=sources.setting("training.iterations"),
            batch=sources.setting("training.batch_size"),
            first=sources.setting("training.learning_rate"),
            last=sources.setting("training.final_learning_rate"),
        ),
        "selection": say(
            "The network after the last iteration was used; no checkpoint was chosen by its score. Settings "
            "were tuned on the validation split with {trials} trials per study (0: not at all).",
            trials=sources.setting("tuning.trials"),
        ),
        "ensembles": (
            "Rows named 'all seeds' are ensembles of all seeds."
            if any(name.endswith("_ensemble") for name in about["methods"])
            else "None: the scores of seeds are averaged, not their predictions.",
        ),
        "metrics": say(
            "Dice, 95 % Hausdorff distance, surface Dice with a tolerance of {tolerance}, false positives "
            "of absent classes; sensitivity, specificity and AUROC of presence; areas and centres "
            "(data/agreement.csv).",
            tolerance=sources.setting("evaluation.surface_tolerance"),
        ),
        "uncertainty": say(
            "95 % intervals by patient ({interval}); Wilcoxon's signed-rank test on patients with Holm's "
            "correction; standard deviation over the seeds {seeds}.",
            interval=sources.number(table1, "interval", "", method=method),
            seeds=seeds,
        ),
        "robustness": (
            "Ranks under resampling of patients (data/ranks.csv)"
            + (
                ", and smaller numbers of labels (data/ablation.csv)"
                if "data/ablation.csv" in sources
                else ""
            )
            + ". ",
            todo("other devices, centres or image quality"),
        ),
        "internal": say(
            "The {split} split of the same data set: {images} images of {patients} patients. {todo}",
            split=about["split"],
            **judged,
            todo=todo("whether it differs in setting, dates or devices"),
        ),
        "flow": say(
            "{images} images of {patients} patients are in the data set, and the pipeline left out "
            "{left_out}; {judged} images were evaluated (section Participants). {todo}",
            left_out=left_out,
            images=sources.number(flow, "images", ".0f", split="all"),
            patients=sources.number(flow, "patients", ".0f", split="all"),
            judged=judged["images"],
            todo=todo("what was excluded before the import"),
        ),
        "flow_outcome": say(
            "{images} images of {patients} patients are in the data set, {labelled} of them with labels, and "
            "the pipeline left out {left_out}; {judged} images were evaluated (section Participants). How "
            "many of these show each class is in data/per_class.csv. {todo}",
            images=sources.number(flow, "images", ".0f", split="all"),
            patients=sources.number(flow, "patients", ".0f", split="all"),
            labelled=sources.number(flow, "labelled", ".0f", split="all"),
            left_out=left_out,
            judged=judged["images"],
            todo=todo("what was excluded before the import"),
        ),
        "performance": say(
            "Mean Dice {mean} % on {cases} images; all methods are in Table 1, classes in "
            "data/per_class.csv, groups in data/per_group.csv.",
            mean=sources.mean(table1, "mean", method=method),
            cases=sources.number(table1, "cases", ".0f", method=method),
        ),
        "diagnostic": (
            "Whether a class is there: sensitivity, specificity and AUROC with intervals, "
            "data/detection.csv. ",
            todo("diagnostic use, if there is any"),
        ),
        "failures": (
            "The worst case by Dice is among the figures; data/dice.csv has every case. ",
            todo("why cases fail"),
        ),
        "limits": ("See Limitations. ", todo("limits of the data and of the design")),
        "details": (
            "This folder: settings, data, ro-crate-metadata.json and sbom.cdx.json. ",
            todo("protocol"),
        ),
        "availability": ("samcarry is open source (MIT licence). ", todo("trained model and data")),
        "code": (
            "The analysis was run with samcarry, which is open source (MIT licence); its workflow is in "
            "workflow/Snakefile and its settings are in data/settings.csv. ",
            todo("where further code of this study is"),
        ),
        "specification": (
            "The architecture and all settings are in Methods and data/settings.csv; samcarry predict "
            "applies a trained network to new images. ",
            todo("where the trained networks are, and under which conditions"),
        ),
        "predictors": ("The only input is the image.",),
        "not_subjective": ("Does not apply: the only input is the image.",),
        "clusters": (
            "Scores by group of cases are in data/per_group.csv."
            if sources.rows("data/per_group.csv")
            else "The data name no groups, so nothing was measured. ",
            *(() if sources.rows("data/per_group.csv") else (todo("centres or devices"),)),
        ),
        "updating": ("No model was updated after its evaluation.",),
        "predictions": (
            "The trained networks predicted the evaluated images; samcarry predict does the same for new "
            "images.",
        ),
        "imbalance": say(
            "Pixels of rarer classes weighed more in the loss of f_θ, by a factor of at most {weight}.",
            weight=sources.setting("training.max_positive_weight"),
        ),
        "output": (
            "A probability for each class and pixel; a mask is where it is above 0.5, and classes may "
            "overlap.",
        ),
        "analyses": say(
            "Trained with {n} labelled and {unlabelled} unlabelled images, evaluated on {images} images of "
            "{patients} patients.",
            n=trained,
            unlabelled=sources.number(flow, "images", ".0f", split="unlabelled"),
            **judged,
        ),
    }
