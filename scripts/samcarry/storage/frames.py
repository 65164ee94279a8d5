"""CSV tables as pandas data frames; `tables` reads and writes CSV without pandas."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from samcarry.storage.files import atomic


def write_frame(path: str | Path, frame: pd.DataFrame, float_format: str | None = None) -> None:
    """Write a data frame as CSV without its index, atomically.

    Args:
        path: the CSV file.
        frame: the rows.
        float_format: for example '%.6g'; None keeps all digits.
    """
    with atomic(path) as private:
        frame.to_csv(private, index=False, lineterminator="\n", float_format=float_format)


def read_frame(path: str | Path, texts: Iterable[str] = ()) -> pd.DataFrame:
    """Read a CSV file; columns in `texts` stay text ('007', 'NA'), all others become numbers.

    An empty number becomes NaN.
    """
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    for name in frame.columns.difference(sorted(texts)):
        frame[name] = pd.to_numeric(frame[name])
    return frame


def concatenate(paths: Sequence[str | Path]) -> pd.DataFrame:
    """The rows of several CSV files as text, so that every digit stays unchanged."""
    return pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths])
