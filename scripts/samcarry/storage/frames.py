"""CSV tables as pandas data frames; `tables` reads and writes CSV without pandas."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from samcarry.storage.cells import guarded, unguarded
from samcarry.storage.files import atomic
from samcarry.storage.reading import reading_made

_FAULT = "this table is damaged"


def write_frame(path: str | Path, frame: pd.DataFrame, float_format: str | None = None) -> None:
    """Write a data frame as CSV without its index, atomically; no text becomes a formula, see `cells`.

    Args:
        path: the CSV file.
        frame: the rows.
        float_format: for example '%.6g'; None keeps all digits.
    """
    safe = frame.copy()
    for name in safe.select_dtypes(exclude="number"):
        safe[name] = [guarded(cell) if isinstance(cell, str) else cell for cell in safe[name]]
    safe.columns = safe.columns.map(guarded)
    with atomic(path) as private:
        safe.to_csv(private, index=False, lineterminator="\n", float_format=float_format)


def read_frame(path: str | Path, texts: Iterable[str] = ()) -> pd.DataFrame:
    """Read a CSV file; columns in `texts` stay text ('007', 'NA'), all others become numbers.

    An empty number becomes NaN.

    Raises:
        DamagedError: the file is missing or damaged.
        InputError: the operating system cannot read it.
    """
    frame = _read_texts(path)
    with reading_made(path, _FAULT, (ValueError,)):
        for name in frame.columns.difference(sorted(texts)):
            frame[name] = pd.to_numeric(frame[name])
    return frame


def read_settings_frame(path: str | Path) -> pd.DataFrame:
    """Read a CSV file whose columns hold settings: each is of the type that all of its values have.

    An empty value becomes NaN; raises as `read_frame`.
    """
    with reading_made(path, _FAULT, (ValueError,)):
        return pd.read_csv(path)


def concatenate(paths: Sequence[str | Path]) -> pd.DataFrame:
    """The rows of several CSV files as text, so that every digit stays unchanged; raises as `read_frame`."""
    return pd.concat([_read_texts(path) for path in paths])


def _read_texts(path: str | Path) -> pd.DataFrame:
    with reading_made(path, _FAULT, (ValueError,)):  # which pandas' own errors are
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return frame.map(unguarded).rename(columns=unguarded)
