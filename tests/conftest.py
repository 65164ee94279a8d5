"""A copy of the project in which whole workflows run on tiny data."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
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
    "tuning": {"trials": 0},
    "nnunet": {"epochs": 1, "iterations_per_epoch": 2, "max_batch_size": 2},
}

REVIEWED = {  # evidence needs ten unlabelled cases
    "source": {
        "phantom": {
            "counts": {"train": 3, "val": 1, "test": 2, "unlabelled": 12},
            "height": 64,
            "width": 64,
        }
    },
    "review": {"first": {"k": 4}, "tasks": {"k": 3}},
}


@dataclass(frozen=True)
class Project:
    """A checkout of its own with a tiny config."""

    folder: Path
    options: tuple[str, ...] = ("--cores", "8", "--resources", "gpu=1")

    def configure(self, **blocks: object) -> None:
        """Write the tiny config with `blocks` merged over it, one level deep."""
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
        """Run snakemake; the output holds stdout and stderr in order."""
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
        """Start snakemake in a session of its own, output to run.log."""
        log = (self.folder / "run.log").open("w")
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
        """Names of the rules that a dry-run wants to run."""
        output = self.run("-n", *arguments).stdout
        if "Nothing to be done" in output:
            return set()
        assert "Job stats:" in output, output
        table = output.split("Job stats:")[1].split("total")[0].splitlines()[3:]
        return {line.split()[0] for line in table if line.strip()} - {"all"}

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()


def make_project(folder: Path) -> Project:
    """Copy the project, without results, to `folder`."""
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("workflow", "scripts", "envs", "profiles", "resources", "config"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    project = Project(folder)
    project.configure()
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh project in which nothing has run."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the whole main line has run; tests must not change its results."""
    project = make_project(tmp_path_factory.mktemp("finished"))
    outcome = project.run()
    assert outcome.returncode == 0, outcome.stdout
    return project


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which every method of Table 1 has run, tuned; tests must not change its results."""
    project = make_project(tmp_path_factory.mktemp("compared"))
    project.configure(
        tuning={"trials": 3, "max_radius": 2}, ablation={"n": [2], "methods": ["unet", "ours_r"]}
    )
    outcome = project.run("results/demo/report.html", "results/demo/ablation.csv")
    assert outcome.returncode == 0, outcome.stdout
    return project


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of which the annotator's loop has run up to two tasks; tests must not change its results."""
    project = make_project(tmp_path_factory.mktemp("reviewed"))
    project.configure(**REVIEWED)
    made = ("first/cases.csv", "review/index.html", "review/task-2/annotations.xml", "review/evidence.csv")
    outcome = project.run(*(f"results/demo/{path}" for path in made))
    assert outcome.returncode == 0, outcome.stdout
    return project


@pytest.fixture
def returned(reviewed: Project, tmp_path: Path) -> Project:
    """A copy of the reviewed project to which the first task came back, with nothing corrected."""
    shutil.copytree(reviewed.folder, tmp_path / "copy", symlinks=True)
    project = Project(tmp_path / "copy")
    task = project.folder / "results/demo/review/task-1/annotations.xml"
    shutil.copy(task, project.folder / "back.xml")
    project.configure(**REVIEWED, n=6, corrections=["back.xml"])
    return project


@pytest.fixture
def copy_of_compared(compared: Project, tmp_path: Path) -> Project:
    """A copy of the compared project that a test may change."""
    shutil.copytree(compared.folder, tmp_path / "copy", symlinks=True)
    return Project(tmp_path / "copy")


@pytest.fixture
def copy_of_finished(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project that a test may change."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    return Project(tmp_path / "copy")
