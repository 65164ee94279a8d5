"""Put the Dice of all methods and seeds of one subset X^n into one table."""

import pandas as pd

from job import job
from samcarry.files import atomic

with job(snakemake):
    # As text, so that a case '007' or 'NA' and every digit of a score stay as they are.
    parts = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in snakemake.input.dice]
    table = pd.concat(parts)
    # Full supervision knows of no n, and the path of Table 1's rows has none.
    table["n"] = snakemake.wildcards.get("n") or snakemake.params.n
    with atomic(snakemake.output.dice) as private:
        table.to_csv(private, index=False, lineterminator="\n")
