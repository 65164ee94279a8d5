"""Provenance of a run: time and memory of each step, versions, and what made models and stacks."""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from samcarry.storage.files import sha256
from samcarry.storage.reading import reading, reading_made
from samcarry.storage.tensors import read_tensor_metadata

log = logging.getLogger(__name__)
_BETWEEN = re.compile(r"n\d+|seed\d+|full|round\d+")
"""Folders in the path of a benchmark that are not the name of a step."""


def time_and_memory(folder: str | Path) -> pd.DataFrame:
    """Time and memory of each step, from the tables that `scripts/job.py` writes.

    The name of a step is the first part of a table's path below `folder` that is not an n, seed or round.

    Returns:
        One row per step, the longest first. Columns: step, jobs, seconds (wall time, summed over jobs),
        cpu_seconds, memory_mb (largest resident set of a process; empty if it was not measured).
    """
    rows = []
    for path in sorted(Path(folder).rglob("*.tsv")):
        parts = path.relative_to(folder).with_suffix("").parts
        step = next((part for part in parts if not _BETWEEN.fullmatch(part)), parts[-1])
        table = _read_benchmark(path)
        if table is None:
            log.warning("%s: is damaged and does not count in the table of time and memory", path)
            continue
        rows.append((step, len(table), table["s"].sum(), table["cpu_time"].sum(), table["max_rss"].max()))
    columns = ["step", "jobs", "seconds", "cpu_seconds", "memory_mb"]
    table = pd.DataFrame(rows, columns=columns)
    sums = table.groupby("step").agg(
        jobs=("jobs", "sum"),
        seconds=("seconds", "sum"),
        cpu_seconds=("cpu_seconds", "sum"),
        memory_mb=("memory_mb", "max"),
    )
    return sums.reset_index().sort_values("seconds", ascending=False, ignore_index=True)


def _read_benchmark(path: Path) -> pd.DataFrame | None:
    """The columns s, cpu_time and max_rss; None if the file is cut (it has no checksum)."""
    with reading(path):
        text = path.read_text(encoding="utf-8", errors="replace")
    header, *rows = [line.split("\t") for line in text.split("\n")[:-1]] or [[]]
    columns = ["s", "cpu_time", "max_rss"]
    if not rows or not text.endswith("\n") or not {*columns} <= {*header}:
        return None
    if any(len(row) != len(header) for row in rows):
        return None
    return pd.DataFrame(rows, columns=header)[columns].apply(pd.to_numeric, errors="coerce")


def model_metadata(path: str | Path) -> dict[str, Any]:
    """The metadata of a model file, read without its weights.

    Raises:
        DamagedError: the file is missing, damaged or not a model of samcarry.
    """
    fault = "this is not a model of samcarry, or it is damaged"
    with reading_made(path, fault, (KeyError, TypeError, ValueError)):
        return json.loads(read_tensor_metadata(path)["samcarry"])


def model_table(paths: Iterable[str | Path]) -> pd.DataFrame:
    """One row per model. Columns: model (path), sha256, rule, cases (number in training), code."""
    rows = []
    for path in paths:
        metadata = model_metadata(path)
        made_by = metadata.get("made_by", {})
        rows.append(
            {
                "model": str(path),
                "sha256": sha256(path),
                "rule": made_by.get("rule", ""),
                "cases": len(metadata.get("cases", ())),
                "code": made_by.get("params", {}).get("code", ""),
            }
        )
    return pd.DataFrame(rows, columns=["model", "sha256", "rule", "cases", "code"])


def versions_of(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """{package: version} in some `made_by` records; versions that differ are all listed."""
    found: dict[str, set[str]] = {}
    for made_by in records:
        for package, version in made_by.get("versions", {}).items():
            found.setdefault(package, set()).add(str(version))
    return {package: " and ".join(sorted(versions)) for package, versions in sorted(found.items())}


def stack_table(records: Iterable[tuple[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """One row per (path, `made_by`). Columns: file, rule, settings (JSON), code, inputs (SHA-256)."""
    rows = []
    for path, made_by in records:
        params = dict(made_by.get("params", {}))
        code = params.pop("code", "")
        params.pop("cases", None)
        rows.append(
            {
                "file": path,
                "rule": made_by.get("rule", ""),
                "settings": json.dumps(params, ensure_ascii=False) if params else "",
                "code": code,
                "inputs": "; ".join(
                    f"{name} {digest[:12]}" for name, digest in made_by.get("inputs", {}).items()
                ),
            }
        )
    return pd.DataFrame(rows, columns=["file", "rule", "settings", "code", "inputs"])
