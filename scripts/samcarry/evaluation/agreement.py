"""How well areas and centres of masks agree with the reference (Bland and Altman, Lancet 327:307, 1986)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from samcarry.evaluation.intervals import interval_of
from samcarry.evaluation.summary import Patients, unit_of

COLUMNS = (
    "method",
    "class",
    "seeds",
    "cases",
    "patients",
    "area",
    "area_bias",
    "area_bias_low",
    "area_bias_high",
    "limit_low",
    "limit_high",
    "area_error_percent",
    "area_error_percent_low",
    "area_error_percent_high",
    "found",
    "centre",
    "centre_low",
    "centre_high",
    "unit",
)


def agreement_table(rows: pd.DataFrame, methods: Sequence[str], patients: Patients = None) -> pd.DataFrame:
    """One row per method and class, over the cases in which the class is present.

    Columns:

    - method, class, and the numbers of seeds, cases and patients;
    - area: mean area of the reference;
    - area_bias: mean of predicted minus reference area; a class that is not found has the area 0;
    - limit_low, limit_high: limits of agreement, the bias ± 1.96 standard deviations over cases: about 95 %
      of single differences are between them. The deviation is that of single predictions, not of means over
      seeds;
    - area_error_percent: mean of the absolute difference in percent of the reference area;
    - found: number of cases in which every seed drew the class;
    - centre: mean distance between the centres of mass, over the cases and seeds in which the class is drawn;
    - ..._low, ..._high: 95 % intervals of the means, by patient; NaN if there are none (see `intervals`);
    - unit: 'mm' (areas in mm²) or 'px' (areas in pixels).

    Args:
        rows: rows of dice.csv for one n.
        methods: ids in the order of the table; those without rows are left out.
        patients: {case: patient}.
    """
    unit = unit_of(rows)
    area = f"_{'mm2' if unit == 'mm' else 'px'}"
    present = rows[rows["reference_px"] > 0]
    difference = present[f"predicted{area}"] - present[f"reference{area}"]
    error = 100 * difference.abs() / present[f"reference{area}"]
    present = present.assign(
        area=present[f"reference{area}"], difference=difference, error=error, centre=present[f"centre_{unit}"]
    )
    table = []
    for method in methods:
        own = present[present["method"] == method]
        for name, of_class in own.groupby("class", sort=False):
            of_cases = of_class.groupby("case")[["area", "difference", "error", "centre"]].mean()
            bias = of_cases["difference"].mean()
            variances = of_class.groupby("seed")["difference"].var()
            reach = 1.96 * float(np.sqrt(variances.mean()))
            intervals = (
                interval_of(of_cases["difference"], patients, "difference"),
                interval_of(of_cases["error"], patients, "length"),
                interval_of(of_cases["centre"], patients, "length"),
            )
            ends = [(interval.low, interval.high) for interval in intervals]
            table.append(
                (
                    method,
                    name,
                    of_class["seed"].nunique(),
                    len(of_cases),
                    intervals[0].patients,
                    of_cases["area"].mean(),
                    *(bias, *ends[0], bias - reach, bias + reach),
                    *(of_cases["error"].mean(), *ends[1]),
                    int((of_class.groupby("case")["predicted_px"].min() > 0).sum()),
                    *(of_cases["centre"].mean(), *ends[2]),
                    unit,
                )
            )
    return pd.DataFrame(table, columns=COLUMNS)
