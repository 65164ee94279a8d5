"""Scores at the images' own size: what reruns, what files hold, and a size of pixels that only some have."""

import csv
import io
import shutil

import numpy as np
import pytest

from samcarry.images.masks import mask_at_size, read_mask
from samcarry.storage.stacks import read_stack
from support.tiny_project import Project

NATIVE = {"at": "native", "spacing": [0.2, 0.1], "surface_tolerance": 0.3}


def table(project, path):
    return list(csv.DictReader(io.StringIO(project.read(path))))


@pytest.fixture(scope="module")
def scored(finished, tmp_path_factory):
    """The finished project, scored again at the size of the images; tests must not change its results."""
    project = Project(tmp_path_factory.mktemp("native") / "copy")
    shutil.copytree(finished.folder, project.folder, symlinks=True)
    project.configure(evaluation=NATIVE)
    assert project.planned("results/demo/n3/dice.csv") == {"measure_images", "evaluate", "collect_dice"}
    outcome = project.run("results/demo/n3/summary.md")
    assert outcome.returncode == 0, outcome.stdout
    return project


def test_scores_are_those_of_label_files_and_exported_masks(scored):
    stack = read_stack(scored.folder / "results/demo/n3/seed0/f_theta/probabilities/test-0000.nii.gz")
    rows = table(scored, "results/demo/n3/seed0/dice/unet.csv")
    assert len(rows) == len(stack.cases) * len(stack.classes)
    for row in rows:
        labels = scored.folder / f"results/demo/phantom/labels/{row['case']}/{row['class']}.png"
        reference = read_mask(labels) if labels.exists() else np.zeros((64, 64), bool)
        place = stack.cases.index(row["case"]), stack.classes.index(row["class"])
        predicted = mask_at_size(stack.values[place], 64, 64)
        assert (int(row["reference_px"]), int(row["predicted_px"])) == (reference.sum(), predicted.sum())
        assert float(row["reference_mm2"]) == pytest.approx(0.02 * reference.sum(), abs=1e-5)
        assert float(row["probability"]) == pytest.approx(stack.values[place].max() / 255, abs=1e-6)


def test_columns_and_pages_name_the_unit(scored):
    head = scored.read("results/demo/n3/dice.csv").splitlines()[0].split(",")
    assert {"hd95_mm", "centre_mm"} <= set(head)
    assert "hd95_px" not in head
    assert "95 % Hausdorff distance in mm" in scored.read("results/demo/n3/summary.md")


def test_a_size_that_is_known_for_some_images_only_stops_the_run_with_one_line(scored, tmp_path):
    shutil.copytree(scored.folder, tmp_path / "copy", symlinks=True)
    project = Project(tmp_path / "copy")
    sheet = project.folder / "results/demo/phantom/cases.csv"
    case = table(project, "results/demo/sizes.csv")[0]["case"]
    data = tmp_path / "data"
    shutil.copytree(sheet.parent, data)
    head, *lines = (data / "cases.csv").read_text().splitlines()
    lines = [f"{line},{0.14 if line.startswith(f'{case},') else ''}" for line in lines]
    (data / "cases.csv").write_text("\n".join([f"{head},spacing", *lines]) + "\n")
    project.configure(
        source={"format": "folder", "folder": str(data)}, evaluation={"at": "native", "spacing": None}
    )
    outcome = project.run("results/demo/sizes.csv")
    assert outcome.returncode != 0
    assert "known for 1 of the 2 evaluated cases" in outcome.stdout
    assert "Traceback" not in outcome.stdout
