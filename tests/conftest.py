"""Fixtures: projects in which whole workflows have run on tiny data."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.tiny_project import Project, make_project

# The time of an example depends on the load of the machine.
settings.register_profile("samcarry", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("samcarry")

REVIEWED = {  # review/evidence.csv needs ten unlabelled cases
    "source": {
        "phantom": {
            "counts": {"train": 3, "val": 1, "test": 2, "unlabelled": 12},
            "height": 64,
            "width": 64,
        }
    },
    "review": {"first": {"k": 4}, "tasks": {"k": 3}},
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh project in which nothing has run."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the main line has run; tests must not change its results."""
    project = make_project(tmp_path_factory.mktemp("finished"))
    outcome = project.run()
    assert outcome.returncode == 0, outcome.stdout
    return project


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which every method of Table 1 has run with tuning; tests must not change its results."""
    project = make_project(tmp_path_factory.mktemp("compared"))
    project.configure(
        tuning={"trials": 3, "max_radius": 2}, ablation={"n": [2], "methods": ["unet", "ours_r"]}
    )
    outcome = project.run("results/demo/report.html", "results/demo/ablation.csv")
    assert outcome.returncode == 0, outcome.stdout
    return project


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which review has run up to two annotation tasks; tests must not change its results."""
    project = make_project(tmp_path_factory.mktemp("reviewed"))
    project.configure(**REVIEWED)
    targets = ("first/cases.csv", "review/index.html", "review/task-2/annotations.xml", "review/evidence.csv")
    outcome = project.run(*(f"results/demo/{path}" for path in targets))
    assert outcome.returncode == 0, outcome.stdout
    return project


@pytest.fixture
def returned(reviewed: Project, tmp_path: Path) -> Project:
    """A copy of the reviewed project with the first task returned, without any correction."""
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
