"""Containers cannot be built in the tests, so these check what the recipes copy and install."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
DEFINITION = (ROOT / "samcarry.def").read_text()
RECIPES = pytest.mark.parametrize("recipe", [DOCKERFILE, DEFINITION], ids=["Dockerfile", "samcarry.def"])
INSTALL = ROOT / "tools/install_locked.sh"


def copied():
    """Files and folders that the Dockerfile copies into the image; the installer is also in `tools`."""
    lines = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split() if name != "tools/install_locked.sh"]


def test_the_image_contains_a_complete_workflow(tmp_path):
    for name in copied():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    plan = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--cores", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert "draw_phantoms" in plan.stdout + plan.stderr


@RECIPES
def test_a_recipe_installs_samcarry_like_the_makefile(recipe):
    makefile = (ROOT / "Makefile").read_text()
    [editable] = re.findall(r"-m pip install (.*--editable \.)", makefile)
    assert editable in recipe
    assert "install_locked.sh" in recipe
    assert "install_locked.sh" in makefile


@RECIPES
def test_the_base_is_pinned_by_its_digest(recipe):
    [base] = re.findall(r"^(?:FROM|From:) (.+)$", recipe, re.MULTILINE)
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert base in DOCKERFILE


def test_both_recipes_and_the_build_context_contain_the_same_files():
    sources = re.findall(r"^    (\S+) /opt/samcarry/\1$", DEFINITION, re.MULTILINE)
    context = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(copied()) == sorted(sources) == sorted(context)


def test_the_image_runs_as_an_ordinary_user_in_a_folder_of_its_own():
    *_, last = re.findall(r"^(USER|WORKDIR|ENTRYPOINT) (.+)$", DOCKERFILE, re.MULTILINE)
    words = dict(re.findall(r"^(USER|WORKDIR|ENTRYPOINT) (.+)$", DOCKERFILE, re.MULTILINE))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", words["USER"]), "a number, which Kubernetes can tell from root"
    assert words["WORKDIR"] == "/project"
    assert last == ("ENTRYPOINT", '["snakemake", "--snakefile", "/opt/samcarry/Snakefile"]')


def installed(tmp_path, *options):
    """What the script would have pip install: a list of arguments a call, and the pins of its files."""
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/bash\n"
        f'echo "$*" >> {tmp_path}/calls\n'
        f'while [ $# -gt 0 ]; do [ "$1" = -r ] && cat "$2" >> {tmp_path}/pins; shift; done; true\n'
    )
    python.chmod(0o755)
    subprocess.run(
        [INSTALL, python, *options], cwd=ROOT, check=True, env=dict(os.environ, TMPDIR=str(tmp_path))
    )
    pins = re.findall(r"^([a-z][^ =]*)==", (tmp_path / "pins").read_text(), re.MULTILINE)
    return (tmp_path / "calls").read_text().splitlines(), pins


def test_everything_in_the_lock_file_is_installed(tmp_path):
    calls, pins = installed(tmp_path, "")
    assert calls == ["-m pip install --disable-pip-version-check --require-hashes -r requirements.lock"]
    assert "torch" in pins


def test_an_index_of_wheels_for_cpus_replaces_torch_and_cuda(tmp_path):
    calls, pins = installed(tmp_path, "https://example.org/cpu")
    assert not [name for name in pins if re.match("torch|triton|nvidia|cuda", name)]
    _, everything = installed(tmp_path, "")
    assert len(pins) > 150
    assert set(pins) < set(everything)
    torch, torchvision = re.findall(
        r"^torch(?:vision)?==[^ ]+", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    assert "--require-hashes --no-deps" in calls[0]
    assert calls[1].endswith(f"--no-deps --index-url https://example.org/cpu {torch} {torchvision}")


def test_wheels_for_cpus_may_be_in_a_folder(tmp_path):
    calls, _ = installed(tmp_path, str(tmp_path))
    assert f"--no-deps --no-index --find-links {tmp_path} torch==" in calls[1]
