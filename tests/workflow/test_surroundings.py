"""The same results in surroundings that nobody chose: optimised Python, few open files, odd paths."""

import csv
import dataclasses
import io
from pathlib import Path

from support.tiny_project import Project, make_project


@dataclasses.dataclass(frozen=True)
class Surrounded(Project):
    """A project that runs with other environment variables and limits."""

    variables: tuple[tuple[str, str], ...] = ()
    open_files: int = 1024

    def environment(self) -> dict[str, str]:
        return super().environment() | dict(self.variables)

    def command(self, *arguments: str) -> list[str]:
        limited = f'ulimit -n {self.open_files}; exec "$@"'
        return ["bash", "-c", limited, "bash", *super().command(*arguments)]


def scores(project: Project) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(project.read("results/demo/n3/dice.csv"))))


def test_surroundings_do_not_change_the_results(finished, tmp_path: Path):
    place = tmp_path / f"Müller's [study] (1) {'x' * 150}"
    place.mkdir()
    project = Surrounded(
        make_project(place).folder,
        variables=(("PYTHONOPTIMIZE", "1"), ("LC_ALL", "C"), ("TMPDIR", "/no/such/folder")),
        open_files=64,
    )
    outcome = project.run()
    assert outcome.returncode == 0, outcome.stdout
    assert scores(project) == scores(finished)


def test_a_path_with_braces_which_snakemake_cannot_run_from_is_refused_in_one_line(tmp_path: Path):
    place = tmp_path / "study {1}"
    place.mkdir()
    outcome = make_project(place).run()
    assert outcome.returncode == 1
    assert "Traceback" not in outcome.stdout
    assert f"{place}: Snakemake cannot run from a folder with braces in its path: rename" in outcome.stdout
