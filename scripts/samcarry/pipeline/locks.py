"""Locks of several runs in one folder, of one data set each, and whether it may be written at all.

Standard library only.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def places_not_writable(places: Iterable[str | Path]) -> list[str]:
    """One line for each folder that this user may not write, or not make where it does not exist.

    Snakemake would fail with a traceback. A file system that is read-only is reported when it is written.

    Args:
        places: folders that exist or not.
    """
    # `Path.exists` fails below a folder that may not be entered.
    found = {next(filter(os.path.exists, (path, *path.parents))) for path in map(Path, places)}
    return [
        f"{place}: may not be written by {_user()}: run as the user who owns it, or change its permissions"
        for place in sorted(found)
        if not os.access(place, os.W_OK | os.X_OK) and not os.statvfs(place).f_flag & os.ST_RDONLY
    ]


def _user() -> str:
    return os.environ.get("USER") or f"user {os.getuid()}"


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
