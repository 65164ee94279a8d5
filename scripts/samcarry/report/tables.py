"""Tables of the report as text, from result tables and the manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import pandas as pd

from samcarry.data.contract import CORRECTED_BY, CORRECTED_MINUTES
from samcarry.data.manifest import ManifestRow
from samcarry.evaluation.formatting import footnote_numbers, interval_text, number
from samcarry.evaluation.summary_page import DIFFERENCE_HEADS, difference_cells
from samcarry.evaluation.table1 import best_figure, columns_of, figure_of, is_bold
from samcarry.methods import method_of


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        caption: its caption.
        columns: headings of the columns.
        rows: the cells; the first cell of a row is its heading.
        numbers: indices of the columns that are aligned to the right.
        bold: (row, column) of the cells in bold.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    bold: frozenset[tuple[int, int]] = frozenset()


def method_table(caption: str, table: pd.DataFrame) -> Table:
    """Table 1 from table1.csv; the best figures of the paper's methods with few labels are bold."""
    columns = columns_of(table)
    best = {column.head: best_figure(table, column) for column in columns}
    notes = _notes(table)
    numbers = footnote_numbers(notes)
    rows, bold = [], set()
    for line, (row, note) in enumerate(zip(table.to_dict("records"), notes, strict=True)):
        method = method_of(row["method"])
        mark = f" [{numbers[note]}]" if note else ""
        cells = ["n/a" if row["missing"] else figure_of(row, columns[0])]
        cells += [figure_of(row, column) for column in columns[1:]]
        counts = [number(row["rank"], ".0f")]
        counts += ["–" if row["missing"] else str(row[name]) for name in ("seeds", "cases", "patients")]
        rows.append((method.name + mark, *cells, *counts, method.group))
        for place, column in enumerate(columns, start=1):
            if is_bold(row, column, best[column.head]):
                bold.add((line, place))
    printed = [_capital(column.head) for column in columns]
    heads = ("Method", *printed, "Rank", "Seeds", "Cases", "Patients", "Supervision")
    return Table(caption, heads, tuple(rows), frozenset(range(1, len(heads) - 1)), frozenset(bold))


def numbered_notes(table: pd.DataFrame) -> list[str]:
    """The notes of table1.csv and the reasons for n/a, with the numbers that `method_table` uses."""
    return [f"[{place}] {note}" for note, place in footnote_numbers(_notes(table)).items()]


def _notes(table: pd.DataFrame) -> list[str]:
    """The note of each row: why it is n/a, or the note in table1.csv."""
    pairs = zip(table["missing"], table["note"], strict=True)
    return [f"n/a: {missing}" if missing else note for missing, note in pairs]


def difference_table(caption: str, differences: pd.DataFrame) -> Table:
    """Paired differences from differences.csv in points of Dice, see `summary.explain_differences`."""
    rows = [
        (
            method_of(row["method"]).name,
            method_of(row["against"]).name,
            *difference_cells(row),
            f"{row['wins']} : {row['losses']}",
            str(row["cases"]),
        )
        for row in differences.to_dict("records")
    ]
    heads = (
        "Method",
        "Against",
        *(head if head.startswith("p") else _capital(head) for head in DIFFERENCE_HEADS),
        "Won : lost",
        "Cases",
    )
    return Table(caption, heads, tuple(rows), frozenset(range(2, len(heads))))


def main_differences(differences: pd.DataFrame) -> pd.DataFrame:
    """The primary comparison, all pairs with `ours_r`, and `unet_sam` against `unet`."""
    with_ours = (differences["method"] == "ours_r") | (differences["against"] == "ours_r")
    by_sam = (differences["method"] == "unet_sam") & (differences["against"] == "unet")
    return differences[with_ours | by_sam | (differences["primary"] == 1)]


def class_table(caption: str, classes: pd.DataFrame, by: str = "class") -> Table:
    """Mean Dice by class and method from per_class.csv, with its interval and the numbers of the class.

    Args:
        caption: its caption.
        classes: rows of per_class.csv, or of per_group.csv.
        by: the column that names the rows, 'class' or 'group'.
    """
    methods = list(classes["method"].drop_duplicates())
    cells = {
        (row[by], row["method"]): number(row["mean"]) + interval_text(row["mean_low"], row["mean_high"])
        for row in classes.to_dict("records")
    }
    counts = classes.groupby(by)[["cases", "patients"]].max()
    rows = [
        (name or "–", *map(str, counts.loc[name]), *(cells.get((name, method), "–") for method in methods))
        for name in classes[by].drop_duplicates()
    ]
    heads = (_capital(by), "Cases", "Patients", *(method_of(method).name for method in methods))
    return Table(caption, heads, tuple(rows), frozenset(range(1, len(heads))))


def detection_table(caption: str, detection: pd.DataFrame) -> Table:
    """Sensitivity, specificity and AUROC by method and class from detection.csv, with intervals."""
    measures = ("sensitivity", "specificity", "auroc")
    rows = [
        (
            row["class"],
            method_of(row["method"]).name,
            str(row["present"]),
            str(row["absent"]),
            *(
                number(row[name], ".2f") + interval_text(row[f"{name}_low"], row[f"{name}_high"], ".2f")
                for name in measures
            ),
        )
        for row in detection.to_dict("records")
    ]
    heads = ("Class", "Method", "Images with it", "without it", "Sensitivity", "Specificity", "AUROC")
    return Table(caption, heads, tuple(rows), frozenset(range(2, len(heads))))


def agreement_table(caption: str, agreement: pd.DataFrame) -> Table:
    """Agreement of areas and centres by method and class from agreement.csv, with intervals."""
    unit = agreement["unit"].iloc[0] if len(agreement) else "px"
    area = "mm²" if unit == "mm" else "px"
    rows = [
        (
            row["class"],
            method_of(row["method"]).name,
            str(row["cases"]),
            number(row["area"]),
            number(row["area_bias"], "+.1f")
            + interval_text(row["area_bias_low"], row["area_bias_high"], "+.1f"),
            f"{number(row['limit_low'], '+.1f')} to {number(row['limit_high'], '+.1f')}",
            number(row["area_error_percent"])
            + interval_text(row["area_error_percent_low"], row["area_error_percent_high"]),
            number(row["centre"], ".2f") + interval_text(row["centre_low"], row["centre_high"], ".2f"),
        )
        for row in agreement.to_dict("records")
    ]
    heads = (
        *("Class", "Method", "Cases", f"Area, {area}", f"Bias, {area}", f"Limits of agreement, {area}"),
        *("Error, %", f"Centre, {unit}"),
    )
    return Table(caption, heads, tuple(rows), frozenset(range(2, len(heads))))


def split_table(caption: str, rows: Sequence[ManifestRow]) -> Table:
    """Numbers of images, patients and labelled images in each split."""
    table = []
    for split in ("train", "val", "test", "unlabelled"):
        own = [row for row in rows if row.split == split]
        labelled = sum(bool(row.labels) for row in own)
        table.append((split, str(len(own)), str(len({row.patient for row in own})), str(labelled)))
    return Table(caption, ("Split", "Images", "Patients", "With labels"), tuple(table), frozenset({1, 2, 3}))


def presence_table(caption: str, rows: Sequence[ManifestRow], classes: Sequence[str]) -> Table:
    """Numbers of labelled images in which each class is present, by split."""
    splits = ("train", "val", "test")
    classes_of = {split: [row.classes for row in rows if row.split == split] for split in splits}
    table = []
    for name in classes:
        counts = (sum(name in present for present in classes_of[split]) for split in splits)
        table.append((name, *map(str, counts)))
    return Table(caption, ("Class", *splits), tuple(table), frozenset({1, 2, 3}))


def corrections_table(caption: str, rows: Sequence[Mapping[str, str]]) -> Table:
    """Cases and minutes of each annotator, from rows of a cases.csv with `CORRECTED_BY`."""
    minutes: dict[str, list[float]] = {}
    for row in rows:
        minutes.setdefault(row[CORRECTED_BY], []).append(float(row[CORRECTED_MINUTES]))
    cells = tuple(
        (name, str(len(spent)), f"{sum(spent):.1f}", f"{median(spent):.1f}")
        for name, spent in sorted(minutes.items())
    )
    heads = ("Corrected by", "Cases", "Minutes", "Minutes a case (median)")
    return Table(caption, heads, cells, frozenset({1, 2, 3}))


def cost_table(caption: str, costs: pd.DataFrame) -> Table:
    """Time and memory of each step from `provenance.time_and_memory`, and of all steps together."""
    total = costs["seconds"].sum()
    rows = [
        (
            str(row["step"]),
            str(row["jobs"]),
            measured_time(row["seconds"]),
            number(100 * row["seconds"] / total if total else float("nan")),
            number(row["memory_mb"], ".0f"),
        )
        for row in costs.to_dict("records")
    ]
    if rows:
        peak = number(costs["memory_mb"].max(), ".0f")
        rows.append(("all", str(costs["jobs"].sum()), measured_time(total), number(100.0), peak))
    heads = ("Step", "Jobs", "Time", "Share, %", "Largest job, MB")
    return Table(caption, heads, tuple(rows), frozenset({1, 2, 3, 4}))


def plain_table(caption: str, table: pd.DataFrame) -> Table:
    """Any data frame; numbers with a fraction are rounded to one decimal."""
    numbers = {place for place, name in enumerate(table) if pd.api.types.is_numeric_dtype(table[name])}
    rows = [tuple(_text(value) for value in row) for row in table.itertuples(index=False)]
    heads = tuple(_capital(str(name).replace("_", " ")) for name in table)
    return Table(caption, heads, tuple(rows), frozenset(numbers))


def measured_time(seconds: float) -> str:
    """Seconds as '1 h 05 min', '3 min 20 s' or '0.8 s', more exact than `progress.duration`."""
    if seconds >= 3600:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes:02d} min"
    if seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    return f"{seconds:.1f} s"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _text(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return str(value)
