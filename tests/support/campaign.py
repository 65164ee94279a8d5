"""A campaign of faults: an undisturbed run, copies of it to disturb, and what differs afterwards."""

import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from samcarry.storage.files import sha256
from support.tiny_project import Project, make_project

RESULTS = "results/demo"
NOT_COMPARED = ("logs", "benchmarks", "paper", "report.html")


@dataclass
class Campaign:
    """State shared by the faults: random numbers, a working folder, an undisturbed run, and the counts."""

    chance: random.Random
    folder: Path
    reference: Project
    seconds: float  # of the undisturbed run
    tries: Counter[str] = field(default_factory=Counter)
    survived: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def fresh(self, name: str) -> Project:
        """A new project in which nothing has run, configured like the reference."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        project = make_project(folder)
        shutil.copy(self.reference.folder / "tiny.yaml", folder / "tiny.yaml")
        return project

    def finished(self, name: str) -> Project:
        """A copy of the undisturbed run that may be damaged."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder)) / "copy"
        shutil.copytree(self.reference.folder, folder, symlinks=True)
        return Project(folder)

    def count(self, fault: str, problem: str) -> None:
        """Record a try; it was survived if `problem` is empty."""
        self.tries[fault] += 1
        self.survived[fault] += not problem
        if problem:
            self.failures.append(f"{fault}: {problem}")

    def table(self) -> str:
        """The counts as a Markdown table."""
        rows = [f"| {fault} | {tries} | {self.survived[fault]} |" for fault, tries in self.tries.items()]
        return "\n".join(["| fault | tries | survived |", "|---|---|---|", *rows])


def contents(project: Project, below: str = RESULTS) -> dict[str, str]:
    """Digests of all results by path, except those that contain times."""
    root = project.folder / below
    return {
        path.relative_to(root).as_posix(): sha256(path)
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and is_compared(path.relative_to(root).as_posix())
        and path.name[0] != "."
        and path.suffix != ".journal"
    }


def is_compared(name: str) -> bool:
    """Whether a file of the results, or the file that has a checksum of this name, is without times."""
    return name.removeprefix("checksums/").removesuffix(".sha256").split("/")[0] not in NOT_COMPARED


def differences(project: Project, reference: dict[str, str]) -> str:
    """A text that names the files that differ from the reference; '' if there are none."""
    found = contents(project)
    names = [name for name in sorted({*found, *reference}) if found.get(name) != reference.get(name)]
    return f"{project.folder}: different from the undisturbed run: {', '.join(names[:5])}" if names else ""


def completed(project: Project, reference: dict[str, str], *targets: str) -> str:
    """Unlock, run the same command again, and return what is wrong with its results; '' if nothing is."""
    project.run("--unlock")
    again = project.run(*targets)
    if again.returncode:
        return f"{project.folder}: the same command fails: {again.stdout[-2000:]}"
    return differences(project, reference)


def start_campaign(folder: Path, seed: int, reference: Project | None = None) -> Campaign:
    """Run the reference, unless it is given, and measure how long a run takes."""
    began = time.monotonic()
    if reference is None:
        reference = make_project(Path(tempfile.mkdtemp(prefix="reference-", dir=folder)))
        outcome = reference.run()
        if outcome.returncode:
            sys.exit(outcome.stdout)
        seconds = time.monotonic() - began
    else:
        stamps = [path.stat().st_mtime for path in (reference.folder / RESULTS).rglob("*")]
        seconds = max(stamps) - min(stamps) + 5
    return Campaign(random.Random(seed), folder, reference, seconds)
