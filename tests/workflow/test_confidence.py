"""A report with calibration, calibrated models of one seed and of all, and masks with a guarantee."""

import csv

import pytest

from samcarry.cli import main
from samcarry.images.masks import read_mask
from samcarry.predict.models import load_model
from support.tiny_project import make_project

ROOT = "results/demo"
MODEL = f"{ROOT}/n6/seed0/f_theta/calibrated.safetensors"
ENSEMBLE = f"{ROOT}/n6/seed0/ensemble/f_theta/calibrated.safetensors"
REPORT = f"{ROOT}/report.html"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("confidence"))
    counts = {"train": 6, "val": 10, "test": 3, "unlabelled": 4}
    project.configure(
        source={"phantom": {"counts": counts, "height": 64, "width": 64}},
        n=6,
        seeds=[0, 1],
        ablation={"n": []},
        methods=["unet", "ours_r"],
        table={"methods": ["unet", "ours_r", "unet_ensemble"]},
        training={"iterations": 60},
        confidence={"coverages": [0.5, 0.8]},
    )
    finished = project.run(REPORT, MODEL, ENSEMBLE)
    assert finished.returncode == 0, finished.stdout
    return project


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_report_shows_calibration_and_coverage(project):
    page = project.read(REPORT)
    assert 'id="confidence"' in page
    assert "Promised against achieved coverage" in page
    calibration = rows_of(project.folder / f"{ROOT}/calibration.csv")
    assert {row["method"] for row in calibration} == {"unet", "ours_r", "unet_ensemble"}
    seeds = {(row["method"], row["seed"]) for row in calibration}
    assert ("unet", "1") in seeds
    assert ("unet_ensemble", "1") not in seeds  # one row for all seeds
    coverage = rows_of(project.folder / f"{ROOT}/coverage.csv")
    assert {row["coverage"] for row in coverage if row["promise"] == "outer"} == {"0.5", "0.8"}
    assert (project.folder / f"{ROOT}/figures/reliability.png").is_file()


@pytest.mark.parametrize("model", [MODEL, ENSEMBLE])
def test_predict_writes_masks_with_a_guarantee(project, tmp_path, model):
    images = project.folder / ROOT / "phantom/images"
    options = ["--coverage", "0.5", "--probabilities", "--formats", "png", "--device", "cpu"]
    assert main(["predict", str(project.folder / model), str(images), str(tmp_path / "out"), *options]) == 0
    rows = rows_of(tmp_path / "out/confidence.csv")
    promised = [row for row in rows if row["outer"]]
    assert promised or model == ENSEMBLE  # two networks after so short a training may draw nothing together
    for row in promised:
        place = f"{row['case']}/{row['class']}.png"
        outer, inner = (read_mask(tmp_path / "out" / kind / place) for kind in ("outer", "inner"))
        mask = read_mask(tmp_path / "out/masks" / place)
        assert (inner <= mask).all()
        assert (mask & ~outer).sum() <= 2  # where resizing decides
        assert outer.shape == (64, 64)
    images_table = rows_of(tmp_path / "out/images.csv")
    assert {row["p_like"] != "" for row in images_table} == {True}
    assert any(row["dice_at_least"] for row in images_table)


def test_what_cannot_be_promised_is_not(project, tmp_path):
    images = project.folder / ROOT / "phantom/images"
    options = ["--coverage", "0.99", "--formats", "png", "--device", "cpu"]
    assert main(["predict", str(project.folder / MODEL), str(images), str(tmp_path / "out"), *options]) == 0
    rows = rows_of(tmp_path / "out/confidence.csv")
    assert {row["outer"] for row in rows} == {""}
    assert any("needs at least 99 validation patients" in row["remark"] for row in rows)
    assert not (tmp_path / "out/outer").exists()


def test_without_validation_cases_only_networks_that_left_a_case_out_say_how_sure_the_first_one_is(
    tmp_path,
):
    project = make_project(tmp_path)
    counts = {"train": 6, "val": 0, "test": 2, "unlabelled": 2}
    phantom = {"counts": counts, "height": 64, "width": 64}
    project.configure(source={"phantom": phantom}, n=6, ablation={"n": []})
    finished = project.run(MODEL)
    assert finished.returncode == 0, finished.stdout
    assert "n6-without1of2" in finished.stdout

    confidence = load_model(project.folder / MODEL, "cpu").confidence
    patients = {row["patient"] for row in rows_of(project.folder / ROOT / "manifest.csv") if row["order"]}
    assert confidence.patients == len(patients)
    # Each of these images was learned by the network, so that it says nothing about how far new ones are.
    assert confidence.shown is None

    # Other networks have learned from all cases with labels, and so has full supervision.
    for network in ("n6/seed0/f_phi", "full/seed0/f_theta"):
        outcome = project.run("-n", f"{ROOT}/{network}/calibrated.safetensors")
        assert outcome.returncode != 0
        assert "there is no validation split" in outcome.stdout
