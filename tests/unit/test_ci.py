"""The workflow files of GitHub Actions, which cannot run here."""

import re
import shutil
import subprocess

import pytest
import yaml

from support.paths import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_jobs_call_the_same_commands_as_a_person(path):
    for name, job in yaml.safe_load(path.read_text())["jobs"].items():
        assert job["timeout-minutes"], name
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]), "a commit, not a tag"
            else:
                assert re.search(r"(^|\s)(make [a-z]+|\.ci/run)$", step["run"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_may_only_read(path):
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


@pytest.mark.skipif(
    shutil.which("actionlint") is None, reason="NO ACTIONLINT: workflow files are not checked"
)
def test_actionlint_finds_nothing():
    checked = subprocess.run(["actionlint", "-no-color"], cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
