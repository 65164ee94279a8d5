"""Tables of the report: from CSV files and the manifest to rows of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from samcarry.data.manifest import ManifestRow
from samcarry.evaluation.summary import number
from samcarry.evaluation.table1 import Column, best_figure, columns_of, is_bold
from samcarry.methods import method_of


@dataclass(frozen=True)
class Table:
    """Text in rows; the first cell of a row is its head. Columns in `numbers` stand to the right."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    bold: frozenset[tuple[int, int]] = frozenset()  # row, column


def method_table(caption: str, table: pd.DataFrame) -> Table:
    """Table 1 from table1.csv; the best printed figure of the paper's methods with few labels is bold."""
    columns = columns_of(table)
    best = {column.head: best_figure(table, column) for column in columns}
    told = _remarks(table)
    rows, bold = [], set()
    for line, (row, remark) in enumerate(zip(table.to_dict("records"), told, strict=True)):
        method = method_of(row["method"])
        mark = f" [{list(dict.fromkeys(filter(None, told))).index(remark) + 1}]" if remark else ""
        cells = ["n/a" if row["missing"] else _score(row, columns[0])]
        cells += [_score(row, column) for column in columns[1:]]
        counts = ("–", "–") if row["missing"] else (str(row["seeds"]), str(row["cases"]))
        rows.append((method.name + mark, *cells, *counts, method.supervision))
        for place, column in enumerate(columns, start=1):
            if is_bold(row, column, best[column.head]):
                bold.add((line, place))
    heads = ("Method", *(_capital(column.head) for column in columns), "Seeds", "Cases", "Supervision")
    return Table(caption, heads, tuple(rows), frozenset(range(1, len(heads) - 1)), frozenset(bold))


def numbered_notes(table: pd.DataFrame) -> list[str]:
    """The notes of table1.csv, and why a method is n/a, numbered as `method_table` points at them."""
    notes = dict.fromkeys(filter(None, _remarks(table)))
    return [f"[{place}] {note}" for place, note in enumerate(notes, start=1)]


def _remarks(table: pd.DataFrame) -> list[str]:
    pairs = zip(table["missing"], table["note"], strict=True)
    return [f"n/a: {missing}" if missing else note for missing, note in pairs]


def difference_table(caption: str, differences: pd.DataFrame) -> Table:
    """Paired differences from differences.csv, in points of Dice, with intervals and p values."""
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
    """The pairs with `ours_r`, and what SAM adds to f_θ."""
    with_ours = (differences["method"] == "ours_r") | (differences["against"] == "ours_r")
    by_sam = (differences["method"] == "unet_sam") & (differences["against"] == "unet")
    return differences[with_ours | by_sam]


def class_table(caption: str, classes: pd.DataFrame) -> Table:
    """Mean Dice of each class and method from per_class.csv, with the cases that hold the class."""
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
    """Images, patients and labelled images of each split."""
    table = []
    for split in ("train", "val", "test", "unlabelled"):
        own = [row for row in rows if row.split == split]
        labelled = sum(bool(row.labels) for row in own)
        table.append((split, str(len(own)), str(len({row.patient for row in own})), str(labelled)))
    return Table(caption, ("Split", "Images", "Patients", "With labels"), tuple(table), frozenset({1, 2, 3}))


def presence_table(caption: str, rows: Sequence[ManifestRow], classes: Sequence[str]) -> Table:
    """In how many labelled images of each split a class is present."""
    splits = ("train", "val", "test")
    held = {split: [row.classes for row in rows if row.split == split] for split in splits}
    table = [
        (name, *(str(sum(name in present for present in held[split])) for split in splits))
        for name in classes
    ]  # fmt: skip
    return Table(caption, ("Class", *splits), tuple(table), frozenset({1, 2, 3}))


def cost_table(caption: str, costs: pd.DataFrame) -> Table:
    """Time and memory of each step as `records.time_and_memory` gives them, and of all together."""
    total = costs["seconds"].sum()
    rows = [
        (
            str(row["step"]),
            str(row["jobs"]),
            duration(row["seconds"]),
            number(100 * row["seconds"] / total if total else float("nan")),
            number(row["memory_mb"], ".0f"),
        )
        for row in costs.to_dict("records")
    ]
    if rows:
        peak = number(costs["memory_mb"].max(), ".0f")
        rows.append(("all", str(costs["jobs"].sum()), duration(total), number(100.0), peak))
    heads = ("Step", "Jobs", "Time", "Share, %", "Largest job, MB")
    return Table(caption, heads, tuple(rows), frozenset({1, 2, 3, 4}))


def plain_table(caption: str, table: pd.DataFrame) -> Table:
    """Any table as it is, numbers with a fraction to one decimal."""
    numbers = {place for place, name in enumerate(table) if pd.api.types.is_numeric_dtype(table[name])}
    rows = [tuple(_text(value) for value in row) for row in table.itertuples(index=False)]
    heads = tuple(_capital(str(name).replace("_", " ")) for name in table)
    return Table(caption, heads, tuple(rows), frozenset(numbers))


def duration(seconds: float) -> str:
    """Seconds as '1 h 05 min', '3 min 20 s' or '0.8 s'."""
    if seconds >= 3600:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes:02d} min"
    if seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    return f"{seconds:.1f} s"


def _score(row: Mapping, column: Column) -> str:
    text = number(row[column.mean])
    return f"{text} ± {number(row[column.deviation])}" if column.deviation and text != "–" else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _text(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return str(value)
