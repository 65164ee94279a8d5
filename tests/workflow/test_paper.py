"""The folder of a paper of a tiny run: made by the workflow, verified in another place, and then changed."""

import os
import shutil
import subprocess
import sys


def verify(folder, python_path):
    return subprocess.run(
        [sys.executable, "-m", "samcarry", "verify", str(folder)],
        env={**os.environ, "PYTHONPATH": str(python_path)},
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_folder_verifies_in_another_place_and_a_changed_digit_is_named(copy_of_compared, tmp_path):
    project = copy_of_compared
    project.configure(
        tuning={"trials": 3, "max_radius": 2}, ablation={"n": [2], "methods": ["unet", "ours_r"]}
    )
    outcome = project.run("results/demo/paper/index.html")
    assert outcome.returncode == 0, outcome.stdout
    results = project.folder / "results/demo"
    for name in ("table1", "per_class", "differences", "ranks", "detection", "agreement", "ablation"):
        made, kept = results / f"{name}.csv", results / f"paper/data/{name}.csv"
        assert made.read_text() == kept.read_text(), name
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(results / "paper", elsewhere)
    checked = verify(elsewhere, project.folder / "scripts")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.splitlines()[-1].endswith("files unchanged")
    assert not project.planned("results/demo/paper/index.html")

    text = (elsewhere / "tripod.md").read_text()
    assert "10 images of" in text
    (elsewhere / "tripod.md").write_text(text.replace("10 images of", "11 images of", 1))
    (elsewhere / "data/flow.csv").unlink()
    (elsewhere / "notes.txt").write_text("mine")
    outcome = verify(elsewhere, project.folder / "scripts")
    assert outcome.returncode == 1
    lines = outcome.stdout.splitlines()
    assert "fault: data/flow.csv: is missing" in lines
    assert "fault: notes.txt: was added; the run did not write it" in lines
    assert lines[-1].endswith("faults")
