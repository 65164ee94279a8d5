"""Fixtures: SLURM on this machine for the whole session, and projects that run on it."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.one_node_slurm import one_node_slurm, why_not

# The profile's intervals are meant for jobs of hours; with them, a tiny run would mostly wait.
ON_SLURM = (
    *("--workflow-profile", "profiles/slurm", "--latency-wait", "5"),
    *("--slurm-init-seconds-before-status-checks", "5"),
)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The slurm.conf of a running SLURM with one node, two partitions and simulated GPUs."""
    if reason := why_not():
        pytest.skip(f"SLURM CANNOT BE STARTED: {reason}")
    with one_node_slurm(tmp_path_factory.mktemp("slurm")) as config:
        yield config


@pytest.fixture
def on_slurm(slurm: Path, project):
    """A fresh project whose runs use the SLURM profile."""
    return replace(project, options=ON_SLURM)


@pytest.fixture
def without_f_phi(slurm: Path, copy_of_finished):
    """A finished project without its last network and everything that depends on it."""
    results = copy_of_finished.folder / "results/demo/n3"
    shutil.rmtree(results / "seed0/f_phi")
    for path in ("seed0/dice/ours_r.csv", "dice.csv", "figures/training.png"):
        (results / path).unlink()
    return replace(copy_of_finished, options=ON_SLURM)
