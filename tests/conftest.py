"""Fixtures: projects in which whole workflows have run on tiny data, and a browser."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, Playwright, sync_playwright

from support.browser import launch
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


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Project], None]) -> Project:
    """A project that the first worker of pytest-xdist makes, and that all of its workers use."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / name
    with FileLock(base / f"{name}.lock"):
        if not (base / f"{name}.done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(make_project(folder))
            (base / f"{name}.done").touch()
    return Project(folder)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright. One for all tests of a process: a second one cannot be started beside it."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A headless browser."""
    browser = launch(playwright)
    yield browser
    browser.close()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh project in which nothing has run."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the main line has run; tests must not change its results."""

    def make(project: Project) -> None:
        outcome = project.run()
        assert outcome.returncode == 0, outcome.stdout

    return made_once(tmp_path_factory, "finished", make)


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which every method of Table 1 has run with tuning; tests must not change its results."""

    def make(project: Project) -> None:
        project.configure(
            tuning={"trials": 3, "max_radius": 2}, ablation={"n": [2], "methods": ["unet", "ours_r"]}
        )
        outcome = project.run("results/demo/report.html", "results/demo/ablation.csv")
        assert outcome.returncode == 0, outcome.stdout

    return made_once(tmp_path_factory, "compared", make)


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which review has run up to two annotation tasks; tests must not change its results."""
    targets = ("first/cases.csv", "review/index.html", "review/task-2/annotations.xml", "review/evidence.csv")

    def make(project: Project) -> None:
        project.configure(**REVIEWED)
        outcome = project.run(*(f"results/demo/{path}" for path in targets))
        assert outcome.returncode == 0, outcome.stdout

    return made_once(tmp_path_factory, "reviewed", make)


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
