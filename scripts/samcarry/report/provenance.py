"""What a run left behind about itself: time and memory of each step, versions, and who made what."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import SafetensorError, safe_open

from samcarry.errors import DamagedError
from samcarry.storage.files import sha256

_BETWEEN = re.compile(r"n\d+|seed\d+|full|round\d+")
"""Folders of a benchmark's path that name no step."""


def time_and_memory(folder: str | Path) -> pd.DataFrame:
    """Seconds and memory of each step from the tables that Snakemake's `benchmark` leaves.

    A step is the first part of a table's path, below `folder`, that is no n and no seed.

    Returns:
        One row a step, the longest first. Columns: step, jobs, seconds (wall time, all jobs together),
        cpu_seconds, memory_mb (the largest resident set of any job; empty for jobs too short to be measured).
    """
    rows = []
    for path in sorted(Path(folder).rglob("*.tsv")):
        parts = path.relative_to(folder).with_suffix("").parts
        step = next((part for part in parts if not _BETWEEN.fullmatch(part)), parts[-1])
        table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        for column in ("s", "cpu_time", "max_rss"):
            table[column] = pd.to_numeric(table[column], errors="coerce")
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


def about_model(path: str | Path) -> dict[str, Any]:
    """The settings in a model's metadata, without its weights.

    Raises:
        DamagedError: the file is missing, damaged or no model of samcarry.
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            return json.loads(stream.metadata()["samcarry"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(path, f"this is no model of samcarry, or it is damaged ({error})") from error


def model_table(paths: Iterable[str | Path]) -> pd.DataFrame:
    """One row a model. Columns: model (path), sha256, rule, cases (it learnt from), code."""
    rows = []
    for path in paths:
        about = about_model(path)
        made_by = about.get("made_by", {})
        rows.append(
            {
                "model": str(path),
                "sha256": sha256(path),
                "rule": made_by.get("rule", ""),
                "cases": len(about.get("cases", ())),
                "code": made_by.get("params", {}).get("code", ""),
            }
        )
    return pd.DataFrame(rows, columns=["model", "sha256", "rule", "cases", "code"])


def versions_of(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The versions named in some `made_by`; where they differ, all of them."""
    found: dict[str, set[str]] = {}
    for made_by in records:
        for package, version in made_by.get("versions", {}).items():
            found.setdefault(package, set()).add(str(version))
    return {package: " and ".join(sorted(versions)) for package, versions in sorted(found.items())}


def stack_table(records: Iterable[tuple[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """One row a stack that is shown. Columns: file, rule, settings (JSON), code, inputs (their SHA-256)."""
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
