"""Every row of Table 1 on tiny phantoms, tuned on validation cases, and the report."""

import csv
import io
import re
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from samcarry.methods import METHOD_IDS, METHODS
from samcarry.networks.unet import load_unet
from samcarry.sam.checkpoints import load_sam
from samcarry.storage.checksums import seal_folder
from support.tiny_project import Project

PAPER = [method.id for method in METHODS if method.in_paper] + ["unet_full"]
BEYOND = [method for method in METHOD_IDS if method not in PAPER]
SAME_MASKS = [
    "best_from_f_theta", "best_strong_views", "best_weighted", "best_no_labels", "best_unbalanced",
    "best_agreed",
]  # fmt: skip
TUNING = {"trials": 3, "max_radius": 2}


def table(project, path):
    return list(csv.DictReader(io.StringIO(project.read(path))))


def test_table_1_has_a_value_in_every_row_of_the_paper(compared):
    rows = table(compared, "results/demo/table1.csv")
    assert [row["method"] for row in rows] == PAPER
    assert all(0 <= float(row["mean"]) <= 100 for row in rows)
    assert {row["cases"] for row in rows} == {"2"}
    header = compared.read("results/demo/table1.csv").splitlines()[0]
    assert header.startswith("dataset,supervision,method,n,seeds,cases,mean,std,")


def test_each_mean_of_table_1_is_the_mean_of_its_rows_in_dice_csv(compared):
    dice = table(compared, "results/demo/dice.csv")
    for row in table(compared, "results/demo/table1.csv"):
        cases = {}
        for entry in dice:
            if entry["method"] == row["method"] and entry["dice"]:
                cases.setdefault(entry["case"], []).append(float(entry["dice"]))
        expected = 100 * np.mean([np.mean(values) for values in cases.values()])
        assert float(row["mean"]) == pytest.approx(expected, abs=1e-3)


def test_pages_state_that_the_tiny_sam_replaces_medsam(compared):
    for page in ("table1.md", "table1.tex", "report.html"):
        assert "not MedSAM's own weights" in re.sub(r"&#39;|’", "'", compared.read(f"results/demo/{page}"))


@pytest.mark.parametrize(
    ("refiner", "blocks"),
    [("sam", {"cleaning", "sam"}), ("medsam", {"medsam"}), ("random_walk", {"random_walk"})],
)
def test_tuned_settings_are_blocks_of_a_config(compared, refiner, blocks):
    tuned = yaml.safe_load(compared.read(f"results/demo/n3/tuned/{refiner}.yaml"))
    assert set(tuned) == blocks
    assert len(table(compared, f"results/demo/n3/tuned/{refiner}_trials.csv")) == 3


def test_tuned_settings_pasted_into_the_config_pass_its_schema(copy_of_compared):
    tuned = yaml.safe_load(copy_of_compared.read("results/demo/n3/tuned/sam.yaml"))
    copy_of_compared.configure(**tuned)
    assert "Job stats" in copy_of_compared.run("-n").stdout


def test_a_finished_comparison_has_nothing_left_to_do(compared):
    assert compared.planned("results/demo/report.html") == set()


def test_the_page_opens_offline_and_names_every_method(compared):
    page = compared.read("results/demo/report.html")
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert all(method in page for method in PAPER)


@pytest.mark.parametrize("place", ["best", "median", "worst"])
def test_qualitative_pictures_are_drawn(compared, place):
    picture = Image.open(compared.folder / f"results/demo/figures/qualitative_{place}.png")
    assert np.asarray(picture.convert("L")).std() > 10


def test_the_ablation_has_every_n_and_method(compared):
    rows = table(compared, "results/demo/ablation.csv")
    assert {(row["n"], row["method"]) for row in rows} == {(n, m) for n in "23" for m in ("unet", "ours_r")}


def scramble(project, split):
    """Turn every label image of a split upside down; return their number."""
    cases = [row["case"] for row in table(project, "results/demo/manifest.csv") if row["split"] == split]
    files = [
        file for case in cases for file in (project.folder / f"results/demo/phantom/labels/{case}").glob("*")
    ]
    for file in files:
        Image.fromarray(np.asarray(Image.open(file))[::-1].copy()).save(file)
    results = project.folder / "results/demo"
    seal_folder(results / "phantom", results)  # as if the phantoms had been drawn like this
    return len(files)


SCORING = {
    "prepare_masks", "evaluate", "collect_dice", "collect_table_dice", "write_tables",
    "summarise", "draw_cases", "draw_qualitative", "draw_ablation", "collect_ablation", "write_report",
}  # fmt: skip


def test_scrambled_test_labels_change_the_scores_and_nothing_else(copy_of_compared):
    assert scramble(copy_of_compared, "test")
    planned = copy_of_compared.planned("results/demo/table1.md")
    assert {"evaluate", "write_tables"} <= planned <= SCORING
    before = table(copy_of_compared, "results/demo/table1.csv")
    # The manifest has digests of the labels.
    outcome = copy_of_compared.run("results/demo/table1.md", "--forcerun", "list_cases")
    assert outcome.returncode == 0, outcome.stdout
    after = table(copy_of_compared, "results/demo/table1.csv")
    assert [row["mean"] for row in before] != [row["mean"] for row in after]


def test_scrambled_validation_labels_rerun_the_tuning(copy_of_compared):
    """Without this, the test above would also pass if changed labels were never noticed."""
    assert scramble(copy_of_compared, "val")
    planned = copy_of_compared.planned("results/demo/table1.md")
    assert {"tune_sam", "tune_random_walk", "clean", "train_f_phi"} <= planned
    assert not planned & {"train_f_theta", "train_mean_teacher", "train_lraspp", "train_nnunet"}


def test_no_row_is_missing_if_there_are_hidden_labels(copy_of_compared):
    manifest = copy_of_compared.folder / "results/demo/manifest.csv"
    rows = list(csv.reader(io.StringIO(manifest.read_text())))
    labels = rows[0].index("labels")
    assert any(row[2] == "unlabelled" and row[labels] for row in rows)
    assert "n/a" not in copy_of_compared.read("results/demo/table1.md")


@pytest.fixture(scope="module")
def extended(compared, tmp_path_factory):
    """The compared project with most rows beyond the paper; tests must not change its results."""
    project = Project(tmp_path_factory.mktemp("extended") / "copy")
    shutil.copytree(compared.folder, project.folder, symlinks=True)
    plan = [method for method in BEYOND if method not in SAME_MASKS]
    project.configure(tuning=TUNING, table={"methods": ["unet", "ours_r", *plan]})
    outcome = project.run("results/demo/table1.md")
    assert outcome.returncode == 0, outcome.stdout
    return project


def test_rows_beyond_the_paper_are_added_on_request(extended):
    rows = [row["method"] for row in table(extended, "results/demo/table1.csv")]
    assert rows == ["unet", "ours_r", *(method for method in BEYOND if method not in SAME_MASKS)]


def test_the_study_on_crops_is_a_block_of_a_config(extended):
    tuned = yaml.safe_load(extended.read("results/demo/n3/tuned/zoom.yaml"))
    assert set(tuned) == {"zoom"}
    extended.configure(**tuned)
    assert "Job stats" in extended.run("-n").stdout


def test_a_sam_is_tuned_on_the_labelled_cases_and_scored_before_and_after(extended):
    folder = "results/demo/n3/seed0/adapted"
    assert [row["step"] for row in table(extended, f"{folder}/scores.csv")] == ["0", "2"]
    assert [row["iteration"] for row in table(extended, f"{folder}/training.csv")] == ["2"]
    training = [
        row["case"] for row in table(extended, "results/demo/manifest.csv") if row["split"] == "train"
    ]
    card = extended.read(f"{folder}/model_card.md")
    assert "Tuned on: 3 labelled cases" in card
    assert all(case in card for case in training)
    assert not (extended.folder / folder / "checkpoint.pt").exists()
    load_sam("small", extended.folder / folder / "sam.safetensors")


@pytest.mark.parametrize(("fold", "cases"), [(1, 1), (2, 2)])
def test_a_sam_is_tuned_with_masks_of_networks_that_did_not_learn_from_the_case(extended, fold, cases):
    subset = f"n3-without{fold}of2"
    assert f"training on {cases} cases" in extended.read(
        f"results/demo/logs/{subset}/seed0/train_f_theta.log"
    )
    shards = extended.folder / f"results/demo/{subset}/seed0/f_theta/probabilities"
    assert [path.name for path in shards.iterdir()] == ["train-0000.nii.gz"]


def test_the_last_training_of_the_recipe_weighs_all_pixels_alike_and_normalises_as_ever(extended):
    first, best = (
        load_unet(extended.folder / f"results/demo/n3/seed0/{network}/model.safetensors")[1]
        for network in ("f_theta", "best/f_phi")
    )
    classes = len(first["classes"])
    assert best["positive_weight"] == [1.0] * classes != first["positive_weight"]
    assert (best["mean"], best["std"]) == (first["mean"], first["std"])


def test_rows_that_leave_out_a_part_of_the_recipe_learn_from_masks_that_exist(extended):
    extended.configure(tuning=TUNING, table={"methods": ["unet", "ours_r", *BEYOND]})
    planned = extended.planned("results/demo/table1.md")
    assert planned == {"train_f_phi", "predict", "evaluate", "collect_table_dice", "write_tables"}


def test_another_length_of_tuning_sam_reruns_the_masks_of_this_sam_and_what_follows(extended):
    methods = ["unet", "ours_r", *(method for method in BEYOND if method not in SAME_MASKS)]
    extended.configure(tuning=TUNING, table={"methods": methods}, adapt={"steps": 3})
    plan = extended.run("-n", "results/demo/table1.md").stdout
    made = re.findall(r"^(?:local)?rule (\w+):\n +input: .*\n +output: (.*)$", plan, re.MULTILINE)
    rules = {rule for rule, _ in made}
    assert {"adapt_sam", "refine", "train_f_phi", "predict", "evaluate", "write_tables"} <= rules
    assert not rules & {"tune_sam", "train_f_theta", "train_fixmatch", "prepare_images"}
    folders = {
        output.split("/seed0/")[1].split("/")[0] for rule, output in made if rule in ("refine", "predict")
    }
    assert folders == {"adapted", "best", "best_again", "best_presence", "ensemble", "distilled"}
    cleaned = {output.split("/seed0/")[1].split("/")[0] for rule, output in made if rule == "clean"}
    assert cleaned == {"best_again"}  # it starts from a network that learned from this SAM's masks


def test_medsam_is_refused_as_sam_model(project):
    project.configure(sam={"model": "tiny_medsam"})
    outcome = project.run("-n")
    assert outcome.returncode != 0
    assert "MedSAM uses boxes only, in one pass: name it under medsam.model" in outcome.stdout
    assert "Traceback" not in outcome.stdout


def test_a_method_that_needs_medsam_reports_the_missing_key(project):
    project.configure(medsam={"model": None}, methods=["unet", "unet_medsam"])
    outcome = project.run("-n")
    assert outcome.returncode != 0
    assert "unet_medsam needs medsam.model" in outcome.stdout
