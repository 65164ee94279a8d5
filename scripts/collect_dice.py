"""Put the Dice of all methods and seeds of one subset X^n into one table."""

import pandas as pd

from job import job
from samcarry.files import atomic

with job(snakemake):
    table = pd.concat([pd.read_csv(path, dtype={"dice": str}) for path in snakemake.input.dice])
    table["n"] = int(snakemake.wildcards.n)  # full supervision knows of no n
    with atomic(snakemake.output.dice) as private:
        table.to_csv(private, index=False, lineterminator="\n")
