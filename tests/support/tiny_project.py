"""A copy of the repository in which whole workflows run on tiny data."""

import csv
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from support.paths import ROOT

TINY = {
    "source": {
        "phantom": {
            "counts": {"train": 3, "val": 1, "test": 2, "unlabelled": 4},
            "height": 64,
            "width": 64,
        }
    },
    "images": {"height": 32, "width": 32},
    "n": 3,
    "ablation": {"n": [2]},
    "seeds": [0],
    "training": {"width": 4, "depth": 2, "iterations": 30, "threads": 1},
    "f_phi": {"iterations": None},
    "adapt": {"steps": 2, "scored": 1, "batch_size": 2, "folds": 2},
    "tuning": {"trials": 0},
    "nnunet": {"epochs": 1, "iterations_per_epoch": 2, "max_batch_size": 2},
}


@dataclass(frozen=True)
class Project:
    """A copy of the repository with a tiny config."""

    folder: Path
    options: tuple[str, ...] = ("--cores", "8", "--resources", "gpu=1")

    def configure(self, **blocks: object) -> None:
        """Write the tiny config, with its blocks updated by `blocks`."""
        config = {key: dict(value) if isinstance(value, dict) else value for key, value in TINY.items()}
        for key, block in blocks.items():
            config[key] = {**config.get(key, {}), **block} if isinstance(block, dict) else block
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(config))

    def command(self, *arguments: str) -> list[str]:
        snakemake = [sys.executable, "-m", "snakemake", *arguments]
        return [*snakemake, *self.options, "--configfile", "tiny.yaml"]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run snakemake; `stdout` of the result contains stdout and stderr in order."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start snakemake in its own session, with its output in run.log."""
        with (self.folder / "run.log").open("w") as log:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def planned(self, *arguments: str) -> set[str]:
        """Names of the rules that a dry run plans to run."""
        output = self.run("-n", *arguments).stdout
        if "Nothing to be done" in output:
            return set()
        assert "Job stats:" in output, output
        table = output.split("Job stats:")[1].split("total")[0].splitlines()[3:]
        return {line.split()[0] for line in table if line.strip()} - {"all"}

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()


def make_project(folder: Path) -> Project:
    """Copy the repository, without results, to `folder`."""
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("workflow", "scripts", "envs", "profiles", "resources", "config", "tools"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    project = Project(folder)
    project.configure()
    return project


def rows_of(source: Path) -> dict[str, dict[str, str]]:
    """The rows of a folder's cases.csv, by case."""
    with (source / "cases.csv").open(newline="") as stream:
        return {row["case"]: row for row in csv.DictReader(stream)}


def add_cases(data: Path, source: Path, names: dict[str, str]) -> None:
    """Copy cases of the phantom study, with their rows, to the folder `data`, as {new name: case}."""
    rows = rows_of(source)
    table = data / "cases.csv"
    (data / "images").mkdir(parents=True, exist_ok=True)
    with table.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, next(iter(rows.values())).keys())
        if table.stat().st_size == 0:
            writer.writeheader()
        for name, known in names.items():
            shutil.copy(source / f"images/{known}.png", data / f"images/{name}.png")
            if rows[known]["split"] != "unlabelled":
                shutil.copytree(source / "labels" / known, data / "labels" / name)
            writer.writerow({**rows[known], "case": name, "patient": name})
