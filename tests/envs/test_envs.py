"""Every file of envs/: its pins are enough to run the rules that use it, in a clean environment. Slow."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from samcarry.pipeline.code_digest import imported_names
from support.file_server import digest, file_server
from support.paths import ROOT

CONDA = Path(__file__).with_name("bin") / "conda"
# One target of each environment, made by a small rule.
TARGETS = {
    "array": "results/demo/n3/dice.csv",
    "plot": "results/demo/n3/figures/training.png",
    "torch": "results/demo/n3/seed0/f_theta/model.safetensors",
    "tune": "results/demo/n3/tuned/random_walk.yaml",
    "nnunet": "results/demo/n3/nnunet/plans.json",
    "formats": "results/demo/n3/seed0/export/cleaned/export.json",
    "onnx": "results/demo/n3/seed0/f_phi/model.onnx",
    "fetch": "resources/fetched.safetensors",
}


@dataclass(frozen=True)
class Environment:
    name: str
    python: Path
    run: subprocess.CompletedProcess[str]  # of a small rule in this environment


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    """The folder that contains all environments."""
    return tmp_path_factory.mktemp("conda")


@pytest.fixture(scope="session", params=sorted(path.stem for path in (ROOT / "envs").glob("*.yaml")))
def environment(request, finished, prefix, tmp_path_factory):
    """An environment of envs/, created and used by `snakemake --sdm conda` with a substitute for conda."""
    folder = tmp_path_factory.mktemp(request.param) / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    options = ("--sdm", "conda", "--conda-prefix", str(prefix), "--rerun-triggers", "mtime")
    project = replace(finished, folder=folder, options=(*finished.options, *options))
    if request.param == "tune":  # with trials, other targets would have to wait for studies
        project.configure(tuning={"trials": 2, "max_radius": 2})
    with pytest.MonkeyPatch.context() as patch, file_server() as server:
        if request.param == "fetch":
            sam = (folder / "resources/tiny_sam.safetensors").read_bytes()
            source = {"file": TARGETS["fetch"], "sha256": digest(sam), "url": server.serve("/sam", sam)}
            project.configure(sam={"models": {"tiny": source}}, fetch={"when": "missing"})
        patch.setenv("PATH", f"{CONDA.parent}:{os.environ['PATH']}")
        run = project.run(TARGETS[request.param], "--force")
    file = ROOT / f"envs/{request.param}.yaml"
    [made] = [copy for copy in prefix.glob("*.yaml") if copy.read_text() == file.read_text()]
    return Environment(request.param, made.with_suffix("") / "bin/python", run)


def scripts_of(name):
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    pairs = re.findall(r'envs/(\w+)\.yaml".*?scripts/(\w+/\w+)\.py"', rules, re.DOTALL)
    return sorted({script for env, script in pairs if env == name})


def needed_by(script):
    """Modules that a script imports directly or through the library, including imports inside functions."""
    names = imported_names(ROOT / f"scripts/{script}.py", ROOT / "scripts")
    return sorted(name for name in names if name and name.split(".")[0] != "snakemake")


def test_the_table_of_targets_has_every_environment():
    assert set(TARGETS) == {path.stem for path in (ROOT / "envs").glob("*.yaml")}


def test_only_pinned_packages_are_installed(environment):
    *_, pip = yaml.safe_load((ROOT / f"envs/{environment.name}.yaml").read_text())["dependencies"]
    pinned = {line.split(" ;")[0] for line in pip["pip"]}
    command = [environment.python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    rows = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    installed = {f"{re.sub(r'[-_.]+', '-', row['name']).lower()}=={row['version']}" for row in rows}
    assert {pin for pin in installed - pinned if not pin.startswith(("pip==", "setuptools=="))} == set()


def test_every_script_finds_its_modules(environment):
    for script in scripts_of(environment.name):
        lines = "\n".join(f"import {name}" for name in needed_by(script))
        outcome = subprocess.run(
            [environment.python, "-c", lines],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "scripts")},
            capture_output=True,
            text=True,
        )
        assert outcome.returncode == 0, f"{script}: {outcome.stderr}"


def test_a_rule_runs_in_the_environment_with_sdm_conda(environment):
    assert environment.run.returncode == 0, environment.run.stdout
    assert re.search(r"^(\d+) of \1 jobs done", environment.run.stdout, re.MULTILINE)
