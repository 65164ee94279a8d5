"""Numbers for texts, taken from the CSV files of a paper's folder."""

from collections.abc import Mapping
from pathlib import Path

from samcarry.evaluation.formatting import number
from samcarry.paper.document import Number, Sentence, say
from samcarry.storage.tables import read_table

Row = Mapping[str, str]


class Sources:
    """The CSV files of a folder; each number that is taken from them knows its file, row and column."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: dict[str, list[Row]] = {}

    def __contains__(self, file: str) -> bool:
        return (self._folder / file).exists()

    def rows(self, file: str) -> list[Row]:
        """The rows of a file; none if there is no such file."""
        if file not in self._tables:
            self._tables[file] = list(read_table(self._folder / file, [])) if file in self else []
        return self._tables[file]

    def find(self, file: str, **wanted: str) -> Row | None:
        """The first row with these values."""
        rows = self.rows(file)
        return next((row for row in rows if all(row[key] == value for key, value in wanted.items())), None)

    def number(self, file: str, column: str, form: str = ".1f", **wanted: str) -> Number:
        """A cell as a number in a text; '–' if it is empty or there is no such row.

        Args:
            file: the CSV file.
            column: the column.
            form: how to print it; '' for the text itself.
            wanted: the values that select the row.
        """
        row = self.find(file, **wanted)
        text = row.get(column, "") if row else ""
        if form:
            text = number(float(text or "nan"), form)
        selected = ", ".join(
            f"{key}={value!r}" if value == "" else f"{key}={value}" for key, value in wanted.items()
        )
        return Number(text or "–", file, selected, column)

    def cell(self, file: str, column: str, form: str = ".1f", **wanted: str) -> Sentence:
        """A number as a cell of a table; arguments as for `number`."""
        return (self.number(file, column, form, **wanted),)

    def has(self, file: str, column: str, **wanted: str) -> bool:
        """Whether the first row with these values has something in this column."""
        row = self.find(file, **wanted)
        return row is not None and row.get(column, "") != ""

    def setting(self, name: str, form: str = "") -> Number:
        """A setting of the run; '–' if the run has no such setting."""
        return self.number("data/settings.csv", "value", form, setting=name)

    def has_setting(self, name: str) -> bool:
        """Whether the run has this setting."""
        return self.has("data/settings.csv", "value", setting=name)

    def mean(self, file: str, column: str, form: str = ".1f", **wanted: str) -> Sentence:
        """A mean with its interval as '75.4 (70.1 to 80.2)', or without if it has none."""
        value = self.number(file, column, form, **wanted)
        if not self.has(file, f"{column}_low", **wanted):
            return (value,)
        ends = {end: self.number(file, f"{column}_{end}", form, **wanted) for end in ("low", "high")}
        return say("{value} ({low} to {high})", value=value, **ends)
