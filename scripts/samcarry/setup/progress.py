"""`samcarry status`: what of a run is done, running and left, with the time left where it is known."""

import csv
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samcarry.errors import InputError
from samcarry.pipeline.ledger import unfinished_files
from samcarry.runtime.progress import duration


@dataclass(frozen=True)
class Status:
    """How far a run is.

    Attributes:
        dataset: name of the data set.
        done: {rule: seconds of each finished job}.
        left: {rule: number of jobs}.
        running: files that jobs write at this moment, or wrote when they were killed.
        active: the number of the process of a run in this folder; None if there is none.
        grows: whether the cases are not listed yet, so that more jobs will follow.
    """

    dataset: str
    done: Mapping[str, Sequence[float]]
    left: Mapping[str, int]
    running: Sequence[str]
    active: int | None
    grows: bool

    def lines(self) -> list[str]:
        """What `samcarry status` prints."""
        root = Path("results", self.dataset)
        finished, left = sum(map(len, self.done.values())), sum(self.left.values())
        state = f"a run is active (process {self.active})" if self.active else "no run is active"
        lines = [f"{self.dataset}: {state}; {finished} jobs done, {left}{'+' if self.grows else ''} left"]
        if self.grows:
            lines.append("the number of jobs is known when the cases are listed, which is the first step")
        if self.running:
            lines.append(
                f"{'running' if self.active else 'stopped while writing'}: {', '.join(self.running)}"
            )
        unknown = sum(number for rule, number in self.left.items() if self._seconds(rule) is None)
        known = sum((self._seconds(rule) or 0.0) * number for rule, number in self.left.items())
        for rule, number in self.left.items():
            seconds = self._seconds(rule)
            time = "time not known" if seconds is None else f"{duration(seconds)} each"
            lines.append(f"left: {rule}, {number} ({time})")
        if left:
            rest = f", and {unknown} jobs of kinds that have not run yet" if unknown else ""
            lines.append(f"time left, one job after the other: {duration(known)}{rest}")
        for name in ("report.html", "table1.md"):
            if (root / name).exists():
                lines.append(f"result: {root / name}")
        results = sorted([*root.glob("n*/summary.md"), *root.glob("n*/figures/cases.png")])
        lines += [f"result: {path}" for path in results]
        if left and results:
            lines.append("results that are older than what they are made from are made again by these jobs")
        return lines

    def _seconds(self, rule: str) -> float | None:
        """The mean seconds of a job of this rule, or of its kind (train, ...); None if none has run."""
        kind = rule.split("_")[0]
        same = self.done.get(rule) or [
            second for other, all_of in self.done.items() if other.split("_")[0] == kind for second in all_of
        ]
        return statistics.fmean(same) if same else None


def status(dataset: str, files: Sequence[str], root: Path) -> Status:
    """How far the run of a config in this folder is, by `snakemake -n`.

    Args:
        dataset: name of the data set.
        files: config files; none means the demo.
        root: the workflow's folder.

    Raises:
        InputError: Snakemake could not make its plan; says why.
    """
    left, grows = plan(files, root)
    return Status(
        dataset,
        finished_jobs(Path("results", dataset)),
        left,
        unfinished_files(),
        active_run(Path.cwd()),
        grows,
    )


def plan(files: Sequence[str], root: Path) -> tuple[dict[str, int], bool]:
    """{rule: number of jobs} that `snakemake` would run, and whether more follow.

    Raises:
        InputError: Snakemake could not make its plan; says why.
    """
    snakefile = ["--snakefile", str(root / "Snakefile")] if root.resolve() != Path.cwd() else []
    command = [sys.executable, "-m", "snakemake", "-n", *snakefile]
    done = subprocess.run(  # noqa: S603
        [*command, *(["--configfile", *files] if files else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        faults = [line for line in lines if line.startswith("config: ")] or lines[-1:]
        raise InputError("\n".join(faults) or "snakemake -n failed without a message; run it to see why")
    return jobs_of_plan(done.stdout)


def jobs_of_plan(text: str) -> tuple[dict[str, int], bool]:
    """What `snakemake -n` printed, as {rule: number of jobs}, and whether a checkpoint is among them."""
    _, found, rest = text.partition("Job stats:")
    if not found:
        return {}, False
    jobs = {}
    for line in rest.splitlines()[3:]:
        words = line.split()
        if len(words) != 2 or words[0] == "total":
            break
        if words[0] != "all":
            jobs[words[0]] = int(words[1])
    return jobs, "list_cases" in jobs


def finished_jobs(root: Path) -> dict[str, list[float]]:
    """{rule: seconds of each finished job}, from the tables in benchmarks/."""
    found: dict[str, list[float]] = {}
    for path in sorted(root.glob("benchmarks/**/*.tsv")):
        try:
            with path.open(newline="", encoding="utf-8") as stream:
                jobs = [(row["rule"], float(row["s"])) for row in csv.DictReader(stream, delimiter="\t")]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # cut, by a killed run, or of a version that did not write the rule
        for rule, seconds in jobs:
            found.setdefault(rule, []).append(seconds)
    return found


def active_run(folder: Path, processes: Iterable[Path] | None = None) -> int | None:
    """The number of a Snakemake process that runs in a folder; None if there is none, or it is not known.

    As tools/unlock.sh does. A dry run counts only until it ends.
    """
    for process in processes if processes is not None else Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() != folder or int(process.name) == os.getpid():
                continue
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (OSError, ValueError):
            continue
        if any(Path(word).name == "snakemake" for word in words[:4]) and "-n" not in words:
            return int(process.name)
    return None
