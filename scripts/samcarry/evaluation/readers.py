"""A second reader: how well the masks of two people agree who labelled the same images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from samcarry.errors import DamagedError
from samcarry.evaluation.summary import scores_of
from samcarry.methods import SECOND_READER
from samcarry.storage.frames import read_frame

COLUMNS = ("case", "class", "readers", "dice")
"""Case, class, number of people who labelled the case, and Dice between their masks, 0..1.

Of several people, it is the mean over all pairs. A class that one of two people did not draw has the Dice 0;
one that nobody drew has no row.
"""


def read_readers(paths: Sequence[str | Path]) -> pd.DataFrame | None:
    """The table of `COLUMNS`, from a list of its file or of nothing; None if no image has two readers.

    Raises:
        DamagedError: the file is missing or damaged.
    """
    if not paths:
        return None
    table = read_frame(paths[0], ("case", "class"))
    if missing := [name for name in COLUMNS if name not in table]:
        raise DamagedError(paths[0], f"this table is damaged (column {missing[0]!r} is missing)")
    return None if table.empty else table


def reader_rows(readers: pd.DataFrame | None, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows as of dice.csv for the second reader, of the cases and classes that were evaluated.

    They have no distances, and say nothing about classes that are absent.

    Args:
        readers: table of `read_readers`.
        rows: rows of dice.csv for one n.
    """
    if readers is None:
        return rows.iloc[:0]
    known = readers[readers["case"].isin(rows["case"]) & readers["class"].isin(rows["class"])]
    found = pd.DataFrame(
        {
            "dataset": rows["dataset"].iloc[0],
            "n": rows["n"].iloc[0],
            "seed": rows["seed"].min(),
            "method": SECOND_READER,
            "case": known["case"],
            "class": known["class"],
            "reference_px": 1,  # somebody drew the class
            "predicted_px": (known["dice"] > 0).astype(int),
            "dice": known["dice"],
        }
    )
    empty = [name for name in scores_of(rows) if name != "dice"]
    return found.assign(**dict.fromkeys(empty, np.nan))
