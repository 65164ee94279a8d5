"""Tables of the report as text, from result tables and the manifest."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from samcarry.data.manifest import ManifestRow
from samcarry.evaluation.formatting import footnote_numbers, number
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
        counts = ("–", "–") if row["missing"] else (str(row["seeds"]), str(row["cases"]))
        rows.append((method.name + mark, *cells, *counts, method.group))
        for place, column in enumerate(columns, start=1):
            if is_bold(row, column, best[column.head]):
                bold.add((line, place))
    heads = ("Method", *(_capital(column.head) for column in columns), "Seeds", "Cases", "Supervision")
    return Table(caption, heads, tuple(rows), frozenset(range(1, len(heads) - 1)), frozenset(bold))


def numbered_notes(table: pd.DataFrame) -> list[str]:
    """The notes of table1.csv and the reasons for n/a, with the numbers that `method_table` uses."""
    return [f"[{place}] {note}" for note, place in footnote_numbers(_notes(table)).items()]


def _notes(table: pd.DataFrame) -> list[str]:
    """The note of each row: why it is n/a, or the note in table1.csv."""
    pairs = zip(table["missing"], table["note"], strict=True)
    return [f"n/a: {missing}" if missing else note for missing, note in pairs]


def difference_table(caption: str, differences: pd.DataFrame) -> Table:
    """Paired differences from differences.csv in points of Dice, with intervals and p values."""
    rows = [
        (
            method_of(row["method"]).name,
            method_of(row["against"]).name,
            number(row["difference"], "+.1f"),
            f"{number(row['low'], '+.1f')} to {number(row['high'], '+.1f')}",
            number(row["p"], ".2g"),
            number(row["p_holm"], ".2g"),
            f"{row['wins']} : {row['losses']}",
            str(row["cases"]),
        )
        for row in differences.to_dict("records")
    ]
    heads = ("Method", "Against", "Difference", "95 % interval", "p", "p (Holm)", "Won : lost", "Cases")
    return Table(caption, heads, tuple(rows), frozenset(range(2, len(heads))))


def main_differences(differences: pd.DataFrame) -> pd.DataFrame:
    """The differences that matter most: all pairs with `ours_r`, and `unet_sam` against `unet`."""
    with_ours = (differences["method"] == "ours_r") | (differences["against"] == "ours_r")
    by_sam = (differences["method"] == "unet_sam") & (differences["against"] == "unet")
    return differences[with_ours | by_sam]


def class_table(caption: str, classes: pd.DataFrame) -> Table:
    """Mean Dice by class and method from per_class.csv, with the number of cases with the class."""
    methods = list(classes["method"].drop_duplicates())
    means = classes.set_index(["class", "method"])["mean"]
    cases = classes.groupby("class")["cases"].max()
    rows = [
        (name, str(cases[name]), *(number(means.get((name, method), float("nan"))) for method in methods))
        for name in classes["class"].drop_duplicates()
    ]
    heads = ("Class", "Cases", *(method_of(method).name for method in methods))
    return Table(caption, heads, tuple(rows), frozenset(range(1, len(heads))))


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
