"""Repeated draws of X^n on tiny phantoms."""

import csv
import io

from samcarry.data.folds import draw_of


def table(project, path):
    return list(csv.DictReader(io.StringIO(project.read(path))))


SETTINGS = {"draws": 2, "ablation": {"n": [2], "methods": ["unet"]}, "methods": ["unet"]}


def test_each_draw_trains_on_its_own_cases_and_the_ablation_shows_their_spread(copy_of_finished):
    project = copy_of_finished
    project.configure(**SETTINGS)
    outcome = project.run("results/demo/ablation.csv", "results/demo/figures/ablation.png")
    assert outcome.returncode == 0, outcome.stdout
    (row,) = table(project, "results/demo/draws.csv")
    assert (row["method"], row["n"], row["draws"], row["seeds"]) == ("unet", "2", "2", "1")
    # X^3 has all three training cases, so that another draw would be the same.
    spread = {row["n"]: row["draw_std"] for row in table(project, "results/demo/ablation.csv")}
    assert spread == {"2": row["draw_std"], "3": ""}
    training = [row["case"] for row in table(project, "results/demo/manifest.csv") if row["split"] == "train"]
    log = (project.folder / "results/demo/logs/n2-draw2/seed0/train_f_theta.log").read_text()
    assert "training on 2 cases" in log
    assert draw_of(training, 2)[:2] != training[:2]


def test_calibration_of_a_draw_is_assessed_on_its_own_networks(copy_of_finished):
    project = copy_of_finished
    project.configure(**SETTINGS)
    assert project.run("results/demo/manifest.csv").returncode == 0  # what follows depends on its cases
    planned = project.run("-n", "results/demo/n2-draw2/confidence/unet/calibration.csv").stdout
    assert "results/demo/n2-draw2/seed0/f_theta/probabilities/val-0000.nii.gz" in planned
    assert "results/demo/n2/seed0" not in planned
