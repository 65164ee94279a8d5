"""The workflow runs in any folder, for two data sets at once, and as a module of another workflow."""

import subprocess
import sys

import pytest
import yaml

from support.paths import ROOT
from support.tiny_project import TINY

SNAKEMAKE = (sys.executable, "-m", "snakemake")
OPTIONS = ("--cores", "2", "--resources", "gpu=1")


def start(folder, *arguments):
    return subprocess.Popen(
        [*SNAKEMAKE, *arguments, *OPTIONS],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def rows(path):
    return [line.split(",", 1)[1] for line in path.read_text().splitlines()[1:]]


@pytest.mark.parametrize("door", ["Snakefile", "workflow/Snakefile"])
def test_a_folder_without_a_copy_of_the_workflow_is_enough_to_plan_the_demo(tmp_path, door):
    planned = start(tmp_path, "-n", "-s", str(ROOT / door))
    output, _ = planned.communicate(timeout=300)
    assert planned.returncode == 0, output
    assert "train_f_theta" in output
    assert list(tmp_path.glob("results")) == []


def test_two_data_sets_run_in_one_folder_at_the_same_time(finished, tmp_path):
    running = {}
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**TINY, "dataset": name}))
        target = f"results/{name}/n3/seed0/dice/unet.csv"
        options = ("-s", str(ROOT / "Snakefile"), "--directory", str(tmp_path))
        running[target] = start(ROOT, target, *options, "--configfile", str(tmp_path / f"{name}.yaml"))
    for target, process in running.items():
        output, _ = process.communicate(timeout=900)
        assert process.returncode == 0, output
        assert rows(tmp_path / target) == rows(finished.folder / "results/demo/n3/seed0/dice/unet.csv")


MODULE = """
module samcarry:
    snakefile:
        {snakefile!r}
    config:
        config

use rule * from samcarry

rule count_cases:
    default_target: True
    input:
        "results/mine/manifest.csv",
    output:
        "cases.txt",
    shell:
        "wc -l < {{input}} > {{output}}"
"""


def test_another_workflow_uses_it_as_a_module(tmp_path):
    (tmp_path / "Snakefile").write_text(MODULE.format(snakefile=str(ROOT / "Snakefile")))
    study = {**TINY, "preset": "fast", "dataset": "mine"}
    study["source"] = {"format": "phantom", **TINY["source"]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(study))
    process = start(tmp_path, "--configfile", "mine.yaml")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert (tmp_path / "cases.txt").read_text().strip() == "11"  # a head and ten cases
