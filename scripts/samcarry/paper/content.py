"""The text of the paper: methods, participants, results and limits of a run, from the data in its folder."""

from collections.abc import Iterator, Mapping
from typing import Any

from samcarry.evaluation.intervals import BCA, STUDENT
from samcarry.methods import method_of
from samcarry.paper.document import (
    BLANK,
    Document,
    Figure,
    Grid,
    Paragraph,
    Section,
    Sentence,
    joined,
    say,
)
from samcarry.paper.recompute import LEFT_OUT
from samcarry.paper.results import (
    CURVE,
    DIFFERENCES,
    TABLE1,
    by_class,
    differences,
    gains,
    main_results,
    more_labels,
    network_input,
    ranked_method,
    table1,
    unit_of,
)
from samcarry.paper.sources import Sources

FLOW = "data/flow.csv"

FIGURES = {
    "ranks": "How often each method has each rank by mean Dice if patients are drawn again (bootstrap).",
    "ablation": "Dice for different numbers of labelled cases; boxes show the spread over cases.",
    "reliability": "How often what a network predicts with some probability is true, before and after the "
    "temperature.",
    "qualitative_best": "The best case: reference and methods side by side.",
    "qualitative_median": "The median case: reference and methods side by side.",
    "qualitative_worst": "The worst case: reference and methods side by side.",
    "training": "Loss of each network over iterations, one line per seed.",
}
"""{file name without suffix: caption}."""

_CLEANING = {
    "dilation": "and dilated with a {element} of radius {radius} pixels",
    "erosion": "and eroded with a {element} of radius {radius} pixels",
}


def paper(sources: Sources, about: Mapping[str, Any], figures: Mapping[str, str], stop: float) -> Document:
    """The page: methods, participants, results, how many more labels, and limits.

    Args:
        sources: the data of the folder.
        about: what the tables were computed with, see `recompute.read_about`.
        figures: {key of FIGURES: file in the folder}.
        stop: gains below are not worth more labels, in points of Dice.
    """
    name = sources.setting("dataset").text
    sections = [
        Section("About this page", (Paragraph(tuple(_about())),)),
        Section(
            "Methods",
            (
                Paragraph(tuple(_data(sources, about))),
                Paragraph(tuple(_networks(sources, about))),
                Paragraph(tuple(_refinement(sources))),
                Paragraph(tuple(_compared(sources))),
                Paragraph(tuple(_statistics(sources, about))),
            ),
        ),
        Section("Participants", (Paragraph(tuple(_participants(sources))), _flow(sources))),
        Section(
            "Results",
            (
                Paragraph(tuple(main_results(sources, about))),
                table1(sources),
                differences(sources),
                by_class(sources),
            ),
        ),
    ]
    if sources.rows(CURVE):
        blocks = (Paragraph(tuple(more_labels(sources, stop))), gains(sources))
        sections.append(Section("How many more labels?", blocks))
    shown = tuple(Figure(file, (FIGURES[key],)) for key, file in figures.items())
    if shown:
        sections.append(Section("Figures", shown))
    sections.append(Section("Limitations", (Paragraph(tuple(_limits(sources, about))),)))
    return Document(f"{name}: a draft from the numbers of the run", tuple(sections))


def _about() -> Iterator[Sentence]:
    yield ("Each number of this page is taken from a file in this folder.",)
    yield ("In index.html, it shows file, row and column when you point at it; sources.csv lists them all.",)
    yield ("`samcarry verify` on this folder recomputes all of them, without the images.",)
    yield ("The checklists CLAIM 2024 and TRIPOD+AI are in claim.html and tripod.html.",)
    yield ("Names of cases and patients are replaced by numbers, in alphabetical order.",)
    yield ("Square brackets mark what the pipeline cannot know.",)


def _data(sources: Sources, about: Mapping[str, Any]) -> Iterator[Sentence]:
    yield (BLANK.format("source, setting and dates of the images, and who labelled them"),)
    yield say(
        "The data set has {images} images of {patients} patients, of which {labelled} have labels.",
        images=sources.number(FLOW, "images", ".0f", split="all"),
        patients=sources.number(FLOW, "patients", ".0f", split="all"),
        labelled=sources.number(FLOW, "labelled", ".0f", split="all"),
    )
    yield say(
        "Networks were trained with {n} labelled images; methods were evaluated on the {split} split, which "
        "no training has seen.",
        n=sources.setting("n"),
        split=about["split"],
    )
    if about["patients_named"]:
        yield ("No patient is in two of the splits train, val and test.",)
    else:
        yield ("The data do not name patients, so each image counts as another patient.",)
        yield (BLANK.format("whether images of one patient may be in two splits"),)
    yield say(
        "Images were resized to {height} × {width} pixels (height × width){window}.",
        **network_input(sources),
    )
    if about["classes"]:
        yield (f"The classes were {', '.join(about['classes'])}; they may overlap.",)


def _networks(sources: Sources, about: Mapping[str, Any]) -> Iterator[Sentence]:
    yield say(
        "The first network was a U-Net with {width} channels at full resolution and {depth} halvings, with "
        "one sigmoid output per class.",
        width=sources.setting("training.width"),
        depth=sources.setting("training.depth"),
    )
    yield say(
        "It was trained for {iterations} iterations with Adam, a batch size of {batch}, a learning rate "
        "that fell from {first} to {last} along a cosine, and weighted binary cross-entropy with class "
        "weights of at most {weight}.",
        iterations=sources.setting("training.iterations"),
        batch=sources.setting("training.batch_size"),
        first=sources.setting("training.learning_rate"),
        last=sources.setting("training.final_learning_rate"),
        weight=sources.setting("training.max_positive_weight"),
    )
    yield say(
        "Each sample was warped by a random affine map whose six numbers had a standard deviation of "
        "{sigma}.",
        sigma=sources.setting("training.affine_sigma"),
    )
    yield say(
        "Second networks of the same design were trained on pseudo labels for {iterations} iterations.",
        iterations=sources.setting("training.second_iterations"),
    )
    yield say("Each training was repeated with the seeds {seeds}.", seeds=sources.setting("seeds"))
    yield say(
        "The software was samcarry {version} with {packages}.",
        version=sources.setting("version.samcarry"),
        packages=joined(
            [
                say("{name} {version}", name=package, version=sources.setting(f"version.{package}"))
                for package in about["packages"]
            ]
        ),
    )


def _compared(sources: Sources) -> Iterator[Sentence]:
    yield ("The compared methods:",)
    for row in sources.rows(TABLE1):
        method = method_of(row["method"])
        yield (f"{method.name}: {method.description.replace('`', '')}.",)


def _refinement(sources: Sources) -> Iterator[Sentence]:
    form = _CLEANING.get(sources.setting("cleaning.operation").text)
    cleaned: Sentence | str = ""
    if form:
        parts = {name: sources.setting(f"cleaning.{name}") for name in ("element", "radius")}
        cleaned = say(" " + form, **parts)
    yield say(
        "The predictions of the first network for the unlabelled images were cleaned: of each class, the "
        "connected component with the highest mean probability was kept{cleaned}.",
        cleaned=cleaned,
    )
    yield say(
        "Segment Anything ({sam}, architecture {architecture}) redrew each mask from prompts that follow "
        "from it: {first} first{second}.",
        sam=sources.setting("sam.model"),
        architecture=sources.setting("sam.architecture"),
        first=sources.setting("sam.first"),
        second=say(", then {second} with the first mask", second=sources.setting("sam.second"))
        if sources.has_setting("sam.second")
        else "",
    )
    if sources.has_setting("sam.sha256"):
        yield say("The SHA-256 of its checkpoint is {sha256}.", sha256=sources.setting("sam.sha256"))
    trials = sources.setting("tuning.trials", ".0f")
    if trials.text not in ("0", "–"):
        yield say(
            "Cleaning and prompts were tuned on the validation split with {trials} trials per study; the "
            "values above are the tuned ones.",
            trials=trials,
        )
        if sources.has_setting("tuning.pruning"):
            yield say(
                "A trial stopped when a one-sided Wilcoxon signed-rank test over its cases found it worse "
                "than the best one so far (p < {p}).",
                p=sources.setting("tuning.pruning"),
            )
    else:
        yield say("Nothing was tuned ({trials} trials).", trials=trials)


def _statistics(sources: Sources, about: Mapping[str, Any]) -> Iterator[Sentence]:
    yield (
        "The score of a case is the mean Dice over the classes present in its reference; the seeds of a "
        "case are averaged first.",
    )
    yield say(
        "Surface Dice has a tolerance of {tolerance} {unit}; masks were scored at {at} size.",
        tolerance=sources.setting("evaluation.surface_tolerance"),
        unit=unit_of(sources),
        at=sources.setting("evaluation.at"),
    )
    method = ranked_method(sources)
    count = sources.number(TABLE1, "patients", ".0f", method=method)
    used = sources.number(TABLE1, "interval", "", method=method)
    if used.text in (STUDENT, BCA):
        yield say(
            "Means have 95 % intervals by patient ({method}; {patients} patients).",
            method=used,
            patients=count,
        )
    else:
        yield say("Means have no interval, because there are too few patients ({patients}).", patients=count)
    if any(row["p"] for row in sources.rows(DIFFERENCES)):
        yield (
            "Methods were compared case by case; p values are of Wilcoxon's signed-rank test on the "
            "patients' mean differences, corrected by Holm's method.",
        )
    primary = next((row for row in sources.rows(DIFFERENCES) if row["primary"] == "1"), None)
    if primary:
        names = [method_of(primary[key]).name for key in ("method", "against")]
        yield (
            f"The comparison of {names[0]} with {names[1]} was declared as the primary one in the "
            f"settings; its p "
            "value is not corrected.",
        )
    if sources.has_setting("evaluation.margin"):
        yield say(
            "Two methods count as equal if the interval of their difference is within ±{margin} points.",
            margin=sources.setting("evaluation.margin"),
        )


def _participants(sources: Sources) -> Iterator[Sentence]:
    yield (
        BLANK.format(
            "eligibility, and how many images and patients were excluded before the import, and why"
        ),
    )
    reasons = [
        say(
            "{images} ({reason})",
            images=sources.number(LEFT_OUT, "images", ".0f", reason=row["reason"]),
            reason=row["reason"],
        )
        for row in sources.rows(LEFT_OUT)
    ]
    yield say(
        "The pipeline left out {images} images{reasons}.",
        images=sources.number(FLOW, "images", ".0f", split="left out"),
        reasons=(": ", *joined(reasons)) if reasons else "",
    )
    for row in sources.rows(FLOW):
        if row["split"] in ("all", "left out") or row["images"] == "0":
            continue
        yield say(
            "{split}: {images} images (patients: {patients}; with labels: {labelled}).",
            split=row["split"],
            **{
                name: sources.number(FLOW, name, ".0f", split=row["split"])
                for name in ("images", "patients", "labelled")
            },
        )
    yield say("Of the training images, {n} were used as the labelled subset.", n=sources.setting("n"))


def _flow(sources: Sources) -> Grid:
    columns = ("images", "patients", "labelled")
    rows = tuple(
        ((row["split"],), *(sources.cell(FLOW, name, ".0f", split=row["split"]) for name in columns))
        for row in sources.rows(FLOW)
    )
    return Grid(
        ("Flow of cases: images and patients in each split, and images that the pipeline left out.",),
        ("Split", "Images", "Patients", "With labels"),
        rows,
    )


def _limits(sources: Sources, about: Mapping[str, Any]) -> Iterator[Sentence]:
    yield (
        "Each image has at most one object per class; of several pieces, only the most probable one becomes "
        "a pseudo label.",
    )
    yield ("SAM refines what the first network found, and cannot recover a structure that was missed.",)
    if about["images_are_drawn"]:
        yield ("The images are phantoms drawn by a computer; they say nothing about real radiographs.",)
    if about["split"] != "test":
        yield ("There is no test split, so scores may be too optimistic.",)
    if sources.setting("sam.architecture").text in ("tiny", "small"):
        yield (
            "SAM is a small one trained on synthetic scenes; results with the official checkpoints differ.",
        )
    yield ("Scores were computed from masks; this folder cannot check the masks themselves.",)
    yield (BLANK.format("limits of the data, and how far they carry over to other centres and devices"),)
