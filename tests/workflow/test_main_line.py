"""The main line on tiny phantoms: its results, and what a second run does."""

import csv
import io
import itertools
import json
import re

import nibabel as nib
import numpy as np
from PIL import Image

METHODS = ["unet", "unet_sam", "ours_p", "ours_r", "unet_full"]


def dice_rows(project, path="results/demo/n3/dice.csv"):
    return list(csv.DictReader(io.StringIO(project.read(path))))


def test_dice_csv_has_the_public_columns(finished):
    header = finished.read("results/demo/n3/dice.csv").splitlines()[0]
    first = "dataset,n,seed,method,case,class,reference_px,predicted_px,dice,hd95_px,surface_dice"
    assert header == f"{first},centre_px,probability"


def test_dice_csv_has_one_row_for_each_method_seed_case_and_class(finished):
    rows = dice_rows(finished)
    classes = finished.read("results/demo/classes.txt").split()
    cases = {row["case"] for row in rows}
    assert len(cases) == 2
    found = [(row["method"], row["seed"], row["case"], row["class"]) for row in rows]
    assert sorted(found) == sorted(itertools.product(METHODS, ["0"], cases, classes))
    assert {row["n"] for row in rows} == {"3"}


def test_dice_is_empty_exactly_where_the_reference_is(finished):
    for row in dice_rows(finished):
        assert (row["dice"] == "") == (row["reference_px"] == "0")


def test_the_summary_names_every_method_and_gives_intervals(finished):
    page = finished.read("results/demo/n3/summary.md")
    assert all(f"| {method} " in page for method in METHODS)
    assert "95 % interval" in page


def test_pictures_are_drawn(finished):
    for name in ("cases", "training"):
        picture = Image.open(finished.folder / f"results/demo/n3/figures/{name}.png")
        assert np.asarray(picture.convert("L")).std() > 10


def test_any_nifti_reader_reads_probabilities_as_numbers_from_0_to_1(finished):
    shard = "results/demo/n3/seed0/f_theta/probabilities/test-0000.nii.gz"
    values = nib.load(finished.folder / shard).get_fdata()
    assert values.shape == (32, 32, 2, 10)
    assert 0 <= values.min() < values.max() <= 1


def test_prompts_list_every_class_even_if_it_is_absent(finished):
    prompts = json.loads(finished.read("results/demo/n3/seed0/prompts/test-0000.json"))
    classes = finished.read("results/demo/classes.txt").split()
    assert all(list(entries) == classes for entries in prompts.values())


def test_results_record_their_provenance(finished):
    shard = "results/demo/n3/seed0/refined/test-0000.nii.gz"
    about = json.loads(nib.load(finished.folder / shard).header.extensions[0].get_content())
    made_by = about["made_by"]
    assert made_by["rule"] == "refine"
    assert made_by["wildcards"]["seed"] == "0"
    assert made_by["versions"]["torch"]


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in finished.run().stdout


def test_a_second_subset_plans_only_its_own_files_and_shares_those_that_do_not_depend_on_n(finished):
    plan = finished.run("-n", "results/demo/n2/dice.csv").stdout
    outputs = re.findall(r"^ +output: (.*)$", plan, re.MULTILINE)
    assert outputs
    assert all(path.startswith("results/demo/n2/") for line in outputs for path in line.split(", "))


def test_training_never_has_test_cases_among_its_inputs(finished):
    plan = finished.run("-n", "--forcerun", "prepare_images", "prepare_masks").stdout
    blocks = re.findall(r"rule (train_\w+):\n +input: (.*)\n", plan)
    assert {rule for rule, _ in blocks} == {"train_f_theta", "train_f_phi"}
    assert not any("test-" in inputs or "val-" in inputs for _, inputs in blocks)


def test_only_full_supervision_reads_the_labels_of_unlabelled_cases(finished):
    plan = finished.run("-n", "--forcerun", "prepare_images", "prepare_masks").stdout
    readers = re.findall(
        r"(?:rule|checkpoint) (\w+):\n +input: .*unlabelled-\d+/masks.*\n +output: ([^ ,\n]+)", plan
    )
    assert {rule for rule, _ in readers} == {"train_f_theta", "compute_statistics"}
    assert all(path.startswith("results/demo/full/") for _, path in readers)


def test_a_run_with_few_methods_trains_and_evaluates_only_these(project):
    project.configure(methods=["unet", "unet_sam"])
    outcome = project.run()
    assert outcome.returncode == 0, outcome.stdout
    assert [*(project.folder / "results/demo").rglob("model.safetensors")] == [
        project.folder / "results/demo/n3/seed0/f_theta/model.safetensors"
    ]
    assert {row["method"] for row in dice_rows(project)} == {"unet", "unet_sam"}
