"""Writing the folder of a paper: data without images, tables, pages, checklists, RO-Crate, SBOM, digests."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from samcarry import __version__
from samcarry.data.left_out import read_left_out, write_left_out
from samcarry.data.manifest import ManifestRow, judged_split, missing_methods, read_manifest
from samcarry.evaluation.label_curve import least_gain
from samcarry.paper.checklists import claim, tripod
from samcarry.paper.content import FIGURES, paper
from samcarry.paper.crate import METADATA, WORKFLOW, run_crate
from samcarry.paper.digests import files_of, write_digests
from samcarry.paper.document import Line, to_html, to_markdown
from samcarry.paper.recompute import (
    ABOUT,
    CASE_COLUMNS,
    CASES,
    DICE,
    LEFT_OUT,
    READERS,
    derive,
    read_about,
    write_about,
)
from samcarry.paper.sources import Sources
from samcarry.storage.files import atomic, write_text
from samcarry.storage.frames import concatenate, write_frame
from samcarry.storage.tables import write_table
from samcarry.storage.texts import read_text

SETTINGS = "data/settings.csv"
SOURCES = "sources.csv"
SBOM = "sbom.cdx.json"
_DOCUMENTS = {"paper": "index.html", "claim": "claim.html", "tripod": "tripod.html"}


@dataclass(frozen=True)
class Size:
    """Scores of one size of X^n and draw: n, the draw (1 = the given order) and its dice.csv."""

    n: int
    draw: int
    dice: Path


@dataclass(frozen=True)
class Run:
    """The files of a run, and what they were made with.

    Attributes:
        manifest: manifest.csv.
        dice: dice.csv of Table 1.
        classes: class names.
        curves: {method: training.csv of each seed}.
        sizes: scores of other sizes and draws, for the ablation and learning curves; empty if there are none.
        readers: readers.csv, if the labels were imported.
        left_out: left_out.csv of the run and of its import.
        figures: {key of `content.FIGURES`: image file}.
        settings: {name: value}, see `settings.settings_of`.
        evaluation: `methods`, `notes`, `paper`, `primary`, `margin`, `ablation_methods`, `drawn_methods` and
            `images_are_drawn`, as the run's tables were made with.
        packages: the packages whose versions are in the settings.
        workflow: the Snakefile.
        sbom: the bill of materials.
    """

    manifest: Path
    dice: Path
    classes: Sequence[str]
    curves: Mapping[str, Sequence[Path]]
    sizes: Sequence[Size]
    readers: Path | None
    left_out: Sequence[Path]
    figures: Mapping[str, Path]
    settings: Mapping[str, str]
    evaluation: Mapping[str, Any]
    packages: Sequence[str]
    workflow: Path
    sbom: Mapping[str, Any] = field(repr=False)


def write_paper(folder: Path, run: Run) -> str:
    """Write the folder of a run, completely or not at all; return its fingerprint."""
    with atomic(folder) as private:
        _write_data(private, run)
        derive(private)
        write_pages(private)
        write_text(private / SBOM, json.dumps(run.sbom, indent=1, ensure_ascii=False) + "\n")
        write_text(private / WORKFLOW, read_text(run.workflow))
        ended = datetime.fromtimestamp(int(run.dice.stat().st_mtime), UTC).isoformat()
        write_text(private / METADATA, crate_of(private, ended))
        return write_digests(private, __version__)


def crate_of(folder: Path, ended: str) -> str:
    """The content of ro-crate-metadata.json for the files of a folder; `ended` is the end of the run."""
    dataset = Sources(folder).setting("dataset").text
    sizes = {name: path.stat().st_size for name, path in files_of(folder).items() if name != METADATA}
    crate = run_crate(dataset, sizes, [SETTINGS, ABOUT], __version__, ended)
    return json.dumps(crate, indent=1, ensure_ascii=False) + "\n"


def given_files(folder: Path) -> set[str]:
    """The files of a folder, as its data say, that do not follow from other files of it."""
    about = read_about(folder)
    found = {ABOUT, CASES, LEFT_OUT, SETTINGS, DICE, SBOM, WORKFLOW, METADATA, *about["figures"].values()}
    found |= {size["file"] for size in about["sizes"]}
    found |= {file for files in about["training_curves"].values() for file in files}
    return found | ({READERS} if about["readers"] else set())


def pages(folder: Path) -> dict[str, list[Line]]:
    """{file: lines} of all pages, from the data and tables of a folder."""
    about, sources = read_about(folder), Sources(folder)
    figures = about["figures"]
    documents = {
        "paper": paper(sources, about, figures, least_gain(about["margin"])),
        "claim": claim(sources, about),
        "tripod": tripod(sources, about),
    }
    found = {}
    for name, document in documents.items():
        found[f"{name}.md"] = to_markdown(document)
        found[_DOCUMENTS[name]] = to_html(document)
    return found


def write_pages(folder: Path) -> dict[str, list[Line]]:
    """Write all pages, and sources.csv, which lists the source of every number; return the pages."""
    made = pages(folder)
    for name, lines in made.items():
        write_text(folder / name, "".join(f"{line.text}\n" for line in lines))
    rows = [
        (name, line.place, number.text, number.file, number.row, number.column)
        for name, lines in made.items()
        if name.endswith(".md")
        for line in lines
        for number in line.numbers
    ]
    write_table(folder / SOURCES, ("page", "place", "number", "file", "row", "column"), rows)
    return made


def _write_data(folder: Path, run: Run) -> None:
    cases = read_manifest(run.manifest)
    case_names = _numbered("case", [case.case for case in cases])
    patient_names = _numbered("patient", [case.patient for case in cases])
    write_table(folder / CASES, CASE_COLUMNS, _case_rows(cases, case_names, patient_names))
    _copy_scores(run.dice, folder / DICE, case_names)
    sizes = []
    for size in run.sizes:
        file = f"data/sizes/n{size.n}-draw{size.draw}.csv"
        _copy_scores(size.dice, folder / file, case_names)
        sizes.append({"n": size.n, "draw": size.draw, "file": file})
    curves: dict[str, list[str]] = {}
    for method, paths in run.curves.items():
        for place, path in enumerate(paths):
            file = f"data/training/{method}-{place + 1}.csv"
            write_text(folder / file, read_text(path))
            curves.setdefault(method, []).append(file)
    has_readers = run.readers is not None and run.readers.exists()
    if run.readers is not None and has_readers:
        _copy_scores(run.readers, folder / READERS, case_names)
    write_left_out(folder / LEFT_OUT, read_left_out(run.left_out))
    figures = {}
    for key in FIGURES:
        if key in run.figures:
            figures[key] = f"figures/{key}{run.figures[key].suffix}"
            (folder / "figures").mkdir(exist_ok=True)
            shutil.copyfile(run.figures[key], folder / figures[key])
    write_table(folder / SETTINGS, ("setting", "value"), list(run.settings.items()))
    write_about(
        folder,
        {
            **run.evaluation,
            "missing": missing_methods(list(run.evaluation["methods"]), cases),
            "split": judged_split(cases),
            "classes": list(run.classes),
            "patients_named": any(case.patient != case.case for case in cases),
            "training_curves": curves,
            "sizes": sizes,
            "readers": has_readers,
            "figures": figures,
            "packages": list(run.packages),
        },
    )


def _numbered(word: str, names: Sequence[str]) -> dict[str, str]:
    """{name: 'case-0001'} in the order of the names, so that all statistics stay the same."""
    ordered = sorted(set(names))
    digits = max(4, len(str(len(ordered))))
    return {name: f"{word}-{place:0{digits}d}" for place, name in enumerate(ordered, start=1)}


def _case_rows(
    cases: Sequence[ManifestRow], case_names: Mapping[str, str], patient_names: Mapping[str, str]
) -> list[list[object]]:
    rows: list[list[object]] = [
        [
            case_names[case.case],
            patient_names[case.patient],
            case.split,
            "" if case.order is None else case.order,
            int(bool(case.labels)),
            case.group,
        ]
        for case in cases
    ]
    return sorted(rows, key=lambda row: str(row[0]))


def _copy_scores(source: Path, target: Path, case_names: Mapping[str, str]) -> None:
    """Copy a table of scores with other names of cases; every digit and the order of rows stay."""
    table = concatenate([source])
    table = table[table["case"].isin(case_names)]
    write_frame(target, table.assign(case=table["case"].map(case_names)))
