"""The command line as `python -m samcarry`."""

import os
import subprocess
import sys

import samcarry
from support.paths import SCRIPTS


def test_the_module_runs_the_command_line(tmp_path):
    outcome = subprocess.run(
        [sys.executable, "-m", "samcarry", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
    )
    assert (outcome.returncode, outcome.stdout) == (0, f"samcarry {samcarry.__version__}\n")
