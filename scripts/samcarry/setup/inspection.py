"""All faults and warnings of a data set at once, found as the workflow finds them, without running it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samcarry.data.cases import Case, find_cases
from samcarry.data.checks import Contents, check_cases
from samcarry.data.duplicates import find_duplicates
from samcarry.data.hidden_labels import check_numbers, hide_labels
from samcarry.data.manifest import order_training_cases
from samcarry.data.oddities import find_oddities, overview
from samcarry.data.user_files import composed, image_name, visible_entries
from samcarry.errors import AboutSettings, InputError, LeftOut, shortlist
from samcarry.measure.expressions import parse_expressions
from samcarry.pipeline.config import Config, duplicates_of, methods_on_unlabelled, splitting_of
from samcarry.pipeline.sources import (
    export_arguments,
    image_source,
    is_table_study,
    source_folder,
    table_study_arguments,
)


@dataclass
class Inspection:
    """What was found.

    Attributes:
        cases: the cases; [] if they could not be listed.
        contents: what images and labels show; None if any of them has a fault.
        order: the labelled training cases in the order in which they join X^n.
        faults: one line each; a run would stop at them.
        warnings: one line each, as `AboutSettings` if settings answer it.
    """

    cases: list[Case] = field(default_factory=list)
    contents: Contents | None = None
    order: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, error: InputError) -> None:
        """Note the faults of an error."""
        self.faults += str(error).splitlines()


def inspect(config: Config, threads: int = 1) -> Inspection:
    """Look at every image and label of a data set, as the workflow does before it trains; nothing is written.

    Args:
        config: a complete config without faults, whose source is not `phantom`.
        threads: how many cases are decoded in parallel.
    """
    found = Inspection()
    try:
        with _data_set(config) as (folder, left_out):
            _look(config, folder, threads, found)
            for lines in (found.faults, found.warnings):
                lines[:] = [type(line)(_with_places(line, config, folder)) for line in lines]
            found.warnings[:0] = left_out
    except InputError as error:
        found.add(error)
    return found


def table(found: Inspection) -> list[str]:
    """The counts by split and class, sizes and grey values, as lines; [] if the cases could not be read."""
    return overview(found.cases, found.contents.looks) if found.contents else []


def _look(config: Config, folder: Path, threads: int, found: Inspection) -> None:
    splits = splitting_of(config)
    if fault := labels_of_another_set(folder):
        found.faults.append(fault)
        return
    try:
        # The first labels of a data set may be corrections.
        later = bool(config["corrections"])
        found.cases, found.warnings = find_cases(folder, **splits, labels_follow=later)
    except InputError as error:
        found.add(error)
        return
    size = (config["images"]["height"], config["images"]["width"])
    window = config["images"]["window"]
    try:
        contents = check_cases(
            found.cases,
            config["classes"],
            window=window,
            look_for_text=not config["images"]["mask_text"],
            threads=threads,
        )
    except InputError as error:
        found.add(error)
        return
    found.faults += _measurement_faults(config, contents.classes)
    found.warnings += _unknown_duplicates(config, found.cases)
    copies = find_duplicates(found.cases, contents.appearances, **duplicates_of(config))
    found.faults += copies.faults
    found.warnings += copies.warnings
    found.cases = [case for case in found.cases if case.case not in copies.left_out]
    found.contents = contents
    order = order_training_cases(found.cases, contents.of_case, splits["seed"])
    most, largest = config["splits"]["hide_labels_beyond"], max([config["n"], *config["ablation"]["n"]])
    try:
        found.cases, order = hide_labels(found.cases, order, most, contents.of_case)
        if config["corrections"]:
            found.warnings.append("corrections: are read by a run; these checks do not count their cases")
        else:
            check_numbers(folder, found.cases, config["n"], largest, methods_on_unlabelled(config))
    except InputError as error:
        found.add(error)
    found.order = order
    step = 2 ** config["training"]["depth"]
    found.warnings += find_oddities(found.cases, contents.looks, size, step, window)
    if config["classes"] is None and len(contents.classes) == 1:
        line = (
            f"{folder}: there is one class only, {contents.classes[0]!r}: if that is all, set "
            f"`classes: [{contents.classes[0]}]`; else add the labels of the others"
        )
        found.warnings.append(AboutSettings(line))


def _measurement_faults(config: Config, classes: Sequence[str]) -> list[str]:
    """One line for each measurement of an unknown class; of corrections, classes are not known yet."""
    faults = []
    for name, entry in {} if config["corrections"] else config["measurements"].items():
        try:
            parse_expressions({name: entry}, classes, "measurements")
        except InputError as error:
            faults.append(str(error))
    return faults


def _unknown_duplicates(config: Config, cases: Sequence[Case]) -> list[str]:
    """A line if accepted duplicates are no cases."""
    known = {case.case for case in cases}
    pairs = config["splits"]["accepted_duplicates"]
    unknown = dict.fromkeys(name for pair in pairs for name in pair if composed(name) not in known)
    if not unknown:
        return []
    return [
        f"splits.accepted_duplicates: {shortlist(list(unknown))} are not among the cases: correct the names, "
        "or remove these pairs"
    ]


def labels_of_another_set(folder: Path) -> str:
    """A line if no folder of labels belongs to any image, '' otherwise."""
    images, labels = folder / "images", folder / "labels"
    if not images.is_dir() or not labels.is_dir():
        return ""
    ours = {name for file in visible_entries(images) if (name := image_name(file)) is not None}
    theirs = {composed(entry.name) for entry in visible_entries(labels) if entry.is_dir()}
    if not ours or not theirs or ours & theirs:
        return ""
    return (
        f"{labels}: these are labels of another data set: none of its {len(theirs)} folders "
        f"({shortlist(sorted(theirs), 3)}) is named after one of the {len(ours)} images "
        f"({shortlist(sorted(ours), 3)}): put the labels of these images there, or rename one of the two"
    )


def _with_places(line: str, config: Config, folder: Path) -> str:
    """A line about the imported data set in `folder`, with the user's own files instead of those in it."""
    if config["source"]["format"] == "folder":
        return line
    if f"{folder}/images/" in line:
        links = [entry for entry in (folder / "images").iterdir() if entry.is_symlink()]
        for link in sorted(links, key=lambda link: -len(link.name)):
            line = line.replace(str(link), _own_file(link))
    line = line.replace(f"{folder}/", "imported ")
    return line.replace(str(folder), str(image_source(config["source"])))


def _own_file(link: Path) -> str:
    """The file that a link leads to, relative to the working folder if it is in it."""
    file, here = link.readlink(), Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


@contextmanager
def _data_set(config: Config) -> Iterator[tuple[Path, list[str]]]:
    """The data set's folder, and what an import left out; the folder of an import is removed afterwards."""
    if config["source"]["format"] == "folder":
        yield Path(source_folder(config)), []
        return
    with tempfile.TemporaryDirectory(prefix="samcarry-check-") as private:
        folder = Path(private) / "data"
        yield folder, _import(config, folder)


def _import(config: Config, folder: Path) -> list[str]:
    """Import the data set into a folder; return the lines of its summary about what it left out."""
    # Imported here: highdicom takes seconds.
    from samcarry.importing.annotations import import_annotations
    from samcarry.importing.readers import reader_options

    source = config["source"]
    block: dict[str, Any] = source[source["format"]]
    window = config["images"]["window"]
    if is_table_study(source):
        from samcarry.importing.wrist import import_cvat

        lines = import_cvat(
            **table_study_arguments(block), destination=folder, classes=config["classes"], window=window
        )
    else:
        lines = import_annotations(
            source["format"],
            **export_arguments(block),
            destination=folder,
            wanted=config["classes"],
            window=window,
            link=True,
            options=reader_options(source["format"], block),
        )
    # As the lines of an error: the log of the import has them in full length.
    return [str(InputError(line)) for line in lines if isinstance(line, LeftOut)]
