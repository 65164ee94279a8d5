"""Where the presence step could not be fitted, as notes for the tables."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from samcarry.storage.reading import reading_made
from samcarry.storage.texts import read_json


def not_fitted(files: Iterable[tuple[str, str | Path]]) -> dict[str, str]:
    """Methods whose presence step could not be fitted with at least one seed, as {method: why, for readers}.

    Args:
        files: (method, its presence.json) for each seed.

    Raises:
        DamagedError: a file is missing or damaged.
    """
    faults: dict[str, list[str]] = {}
    for method, path in files:
        with reading_made(path, "this presence step is damaged", (KeyError, TypeError, ValueError)):
            faults.setdefault(method, []).append(str(read_json(path)["fault"]))
    return {method: _as_note(of_seeds) for method, of_seeds in faults.items() if any(of_seeds)}


def add_notes(notes: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Notes {method: sentence} of two kinds; a method that has both keeps both."""
    methods = {**notes, **more}
    return {name: "; ".join(filter(None, (notes.get(name), more.get(name)))) for name in methods}


def _as_note(faults: list[str]) -> str:
    seeds = f" ({sum(map(bool, faults))} of {len(faults)} seeds)" if len(faults) > 1 else ""
    return f"presence could not be fitted{seeds}, so no class is judged absent: {max(faults)}"
