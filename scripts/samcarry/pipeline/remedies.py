"""What a user can do about a damaged file of the results, for messages of jobs and of the Snakefile."""

import shlex
from pathlib import Path

from samcarry.errors import DamagedError, InputError


def with_remedy(error: InputError) -> str:
    """The message of an error, and how to make a damaged file again."""
    if not isinstance(error, DamagedError):
        return str(error)
    file = "this file" if error.remake == error.path else error.remake
    delete = f"Delete {file} and run" if Path(error.remake).exists() else "Run"
    # As a target, because Snakemake ignores a missing file if everything that depends on it exists.
    return (
        f"{error}. {delete} `snakemake {shlex.quote(error.remake)} all` with the options of this run: "
        "this computes the file again, and everything that depends on it."
    )
