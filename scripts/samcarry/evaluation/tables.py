"""The tables of a run, computed from dice.csv: the results have them, and `samcarry verify` checks them."""

from collections.abc import Mapping, Sequence

import pandas as pd

from samcarry.evaluation.agreement import agreement_table
from samcarry.evaluation.detection import detection_table
from samcarry.evaluation.draws import add_draws
from samcarry.evaluation.readers import reader_rows
from samcarry.evaluation.significance import Pair, all_pairs, compare, rank_stability
from samcarry.evaluation.summary import summarise_classes, summarise_groups
from samcarry.evaluation.table1 import tabulate
from samcarry.methods import SECOND_READER, in_order


def evaluation_tables(
    rows: pd.DataFrame,
    methods: Sequence[str],
    *,
    patients: Mapping[str, str],
    groups: Mapping[str, str],
    missing: Mapping[str, str],
    notes: Mapping[str, str],
    paper: Mapping[str, tuple[float, float]],
    not_converged: Mapping[str, str],
    primary: Pair | None,
    margin: float | None,
    draws: pd.DataFrame | None = None,
    readers: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Table 1 and its companions, as {name of the CSV file without suffix: table}.

    Args:
        rows: rows of dice.csv for one n.
        methods: ids of the compared methods.
        patients: {case: patient}.
        groups: {case: group}, '' for none.
        missing: {method: reason} of methods that cannot be run.
        notes: {method: a sentence that readers need}.
        paper: the paper's figures, see `tabulate`.
        not_converged: {method: reason}.
        primary: the two methods of the primary comparison.
        margin: difference in points of Dice up to which two methods count as equal.
        draws: table of `draws.summarise_draws`, if X^n was drawn several times.
        readers: table of `readers.read_readers`, if two people labelled the same images.
    """
    methods = in_order(methods)
    second = reader_rows(readers, rows)
    with_reader = [*methods, SECOND_READER] if len(second) else methods
    all_rows = pd.concat([rows, second], ignore_index=True) if len(second) else rows
    table1 = tabulate(
        all_rows,
        with_reader,
        missing=missing,
        notes=notes,
        paper=paper,
        patients=patients,
        not_converged=not_converged,
    )
    return {
        "table1": add_draws(table1, draws),
        "per_class": summarise_classes(all_rows, with_reader, patients),
        "per_group": summarise_groups(rows, methods, groups, patients),
        "detection": detection_table(rows, methods, patients),
        "agreement": agreement_table(rows, methods, patients),
        "differences": compare(rows, all_pairs(methods), patients, primary=primary, margin=margin),
        "ranks": rank_stability(rows, methods, patients, not_converged),
    }
