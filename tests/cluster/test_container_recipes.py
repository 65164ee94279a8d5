"""Containers cannot be built in the tests, so these check what the recipes copy and install."""

import re
import shutil
import subprocess
import sys

import pytest

from support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
DEFINITION = (ROOT / "samcarry.def").read_text()


def copied():
    """Files and folders that the Dockerfile copies into the image."""
    lines = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split()]


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


@pytest.mark.parametrize("recipe", [DOCKERFILE, DEFINITION], ids=["Dockerfile", "samcarry.def"])
def test_a_recipe_installs_the_lock_file_like_the_makefile(recipe):
    install = re.search(r"-m pip install (--disable.*requirements\.lock)", (ROOT / "Makefile").read_text())
    assert install
    assert install[1] in recipe


def test_both_recipes_and_the_build_context_contain_the_same_files():
    sources = re.findall(r"^    (\S+) /opt/samcarry/\1$", DEFINITION, re.MULTILINE)
    context = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(copied()) == sorted(sources) == sorted(context)
