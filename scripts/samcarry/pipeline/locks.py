"""Locks of several runs in one folder, of one data set each. Standard library only."""

from pathlib import Path
from typing import Any


def keep_other_locks(persistence: Any) -> None:
    """Let a run that ends remove its own locks, and keep those of the other runs in its folder.

    Snakemake 9.27 removes all of them, and fails if two runs do so at the same moment.

    Args:
        persistence: Snakemake's class for what it keeps in files, which is changed.
    """
    delete_all = persistence._delete_locks
    if delete_all.__module__ == __name__:
        return

    def delete_locks(self: Any) -> None:
        if not self._lockfile:  # snakemake --unlock
            delete_all(self)
        for file in self._lockfile.values():
            Path(file).unlink(missing_ok=True)
        self._lockfile.clear()

    persistence._delete_locks = delete_locks
