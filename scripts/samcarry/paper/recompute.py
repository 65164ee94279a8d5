"""What the folder of a paper derives from its own data: tables of the run, flow of cases, learning curves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from samcarry.data.left_out import read_left_out
from samcarry.evaluation.convergence import not_converged
from samcarry.evaluation.draws import add_draws, read_draws, summarise_draws
from samcarry.evaluation.label_curve import label_gains
from samcarry.evaluation.readers import read_readers
from samcarry.evaluation.summary import read_dice, summarise_ablation
from samcarry.evaluation.table1 import write_statistics
from samcarry.evaluation.tables import evaluation_tables
from samcarry.methods import in_order, paper_figures
from samcarry.storage.files import write_text
from samcarry.storage.reading import reading_made
from samcarry.storage.tables import read_table, write_table
from samcarry.storage.texts import read_text

ABOUT = "data/run.json"
CASES = "data/cases.csv"
DICE = "data/dice.csv"
READERS = "data/readers.csv"
LEFT_OUT = "data/left_out.csv"
CASE_COLUMNS = ("case", "patient", "split", "order", "labelled", "group")


def read_about(folder: Path) -> dict[str, Any]:
    """What the tables were computed with: methods, comparisons, and which file is what.

    Raises:
        DamagedError: the file is missing or damaged.
    """
    with reading_made(folder / ABOUT, "it is damaged", (ValueError,)):
        return json.loads(read_text(folder / ABOUT))


def write_about(folder: Path, about: dict[str, Any]) -> None:
    """Write what the tables are computed with."""
    write_text(folder / ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def derive(folder: Path) -> list[str]:
    """Write the tables that follow from the data of a folder; return their paths in it."""
    about = read_about(folder)
    rows = read_dice(folder / DICE)
    cases = read_table(folder / CASES, CASE_COLUMNS)
    patients = {case["case"]: case["patient"] for case in cases}
    curves = {method: [folder / path for path in paths] for method, paths in about["training_curves"].items()}
    sizes = [(entry, read_dice(folder / entry["file"])) for entry in about["sizes"]]
    drawn = {entry["n"] for entry, _ in sizes if entry["draw"] > 1}
    written = []

    def put(name: str, table: pd.DataFrame) -> None:
        write_statistics(folder / f"data/{name}.csv", table)
        written.append(f"data/{name}.csv")

    if drawn:
        of_drawn = [(entry, table) for entry, table in sizes if entry["n"] in drawn]
        tables = [table for _, table in of_drawn]
        put(
            "draws", summarise_draws(tables, [entry["draw"] for entry, _ in of_drawn], about["drawn_methods"])
        )
    draws = read_draws([str(folder / "data/draws.csv")] if drawn else [])
    readers = read_readers([str(folder / READERS)] if about["readers"] else [])
    tables_of_run = evaluation_tables(
        rows,
        in_order(about["methods"]),
        patients=patients,
        groups={case["case"]: case["group"] for case in cases},
        missing=about["missing"],
        notes=about["notes"],
        paper=paper_figures(about["paper"]),
        not_converged=not_converged(rows, curves),
        primary=about["primary"],
        margin=about["margin"],
        draws=draws,
        readers=readers,
    )
    for name, table in tables_of_run.items():
        put(name, table)
    first = [table for entry, table in sizes if entry["draw"] == 1]
    if len(first) > 1:
        methods = in_order(about["ablation_methods"])
        put("ablation", add_draws(summarise_ablation(first, methods, patients), draws))
        draws_of = [entry["draw"] for entry, _ in sizes]
        put("label_curve", label_gains([table for _, table in sizes], draws_of, methods, patients))
    write_table(
        folder / "data/flow.csv",
        ("split", "images", "patients", "labelled"),
        _flow(cases, read_left_out([folder / LEFT_OUT])),
    )
    written.append("data/flow.csv")
    return written


def _flow(cases: list[dict[str, str]], left_out: Mapping[str, int]) -> list[list[object]]:
    """One row for each split, one for all, and one for images that were left out."""
    found: list[list[object]] = []
    for split in ("train", "val", "test", "unlabelled", "all"):
        own = [case for case in cases if split in (case["split"], "all")]
        labelled = sum(case["labelled"] == "1" for case in own)
        found.append([split, len(own), len({case["patient"] for case in own}), labelled])
    return [*found, ["left out", sum(left_out.values()), "", ""]]
