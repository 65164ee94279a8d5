"""Which jobs run again after an edit, and which do not."""

import json
import re

import nibabel as nib

METHODS = ["unet", "unet_sam", "ours_p", "ours_r", "unet_full", "unet_sam_zoom", "ours_r_zoom"]


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_comment_in_the_library_reruns_nothing(copy_of_finished):
    module = copy_of_finished.folder / "scripts/samcarry/prompting/cleaning.py"
    module.write_text(module.read_text() + "\n# a remark\n")
    assert copy_of_finished.planned() == set()


def test_an_edit_of_cleaning_reruns_cleaning_and_its_dependents_but_not_f_theta(copy_of_finished):
    edit(
        copy_of_finished.folder / "scripts/samcarry/prompting/cleaning.py",
        "if count == 0:",
        "if count < 1:",
    )
    planned = copy_of_finished.planned()
    assert {"clean", "refine", "train_f_phi"} <= planned
    assert not planned & {"train_f_theta", "embed", "prepare_images"}


def test_another_second_pass_reruns_refinement_but_not_cleaning(copy_of_finished):
    copy_of_finished.configure(sam={"second": None})
    planned = copy_of_finished.planned()
    assert "refine" in planned
    assert not planned & {"clean", "embed", "train_f_theta"}


def test_another_weight_of_sam_on_crops_reruns_these_masks_and_what_follows(copy_of_finished):
    copy_of_finished.configure(methods=METHODS)
    outcome = copy_of_finished.run()
    assert outcome.returncode == 0, outcome.stdout
    assert copy_of_finished.planned() == set()

    copy_of_finished.configure(methods=METHODS, zoom={"fuse": 0.3})
    plan = copy_of_finished.run("-n").stdout
    made = re.findall(r"^(?:local)?rule (\w+):\n +input: .*\n +output: (.*)$", plan, re.MULTILINE)
    rules = {rule for rule, _ in made}
    assert {"refine", "train_f_phi", "predict", "evaluate", "summarise"} <= rules
    assert not rules & {"clean", "embed", "train_f_theta", "prepare_images"}
    assert all("/zoom/" in output for rule, output in made if rule in ("refine", "train_f_phi", "predict"))


def test_sam_on_crops_sees_original_images_and_no_embedding_of_whole_images(project):
    project.configure(methods=["unet_sam_zoom"])
    outcome = project.run()
    assert outcome.returncode == 0, outcome.stdout
    results = project.folder / "results/demo"
    assert [file.name for file in (results / "embeddings/tiny").iterdir()] == ["checkpoint.json"]
    stack = nib.load(results / "n3/seed0/zoom/refined/test-0000.nii.gz")
    inputs = json.loads(stack.header.extensions[0].get_content())["made_by"]["inputs"]
    assert sum("phantom/images/" in path for path in inputs) == stack.shape[2] == 2
    assert not any("prepared/" in path for path in inputs)


def test_another_length_of_second_trainings_reruns_them_and_what_follows_but_not_f_theta(copy_of_finished):
    copy_of_finished.configure(f_phi={"iterations": 40})
    planned = copy_of_finished.planned()
    assert {"train_f_phi", "predict", "evaluate", "summarise"} <= planned
    assert not planned & {"train_f_theta", "compute_statistics", "clean", "refine", "embed"}


def test_the_length_of_second_trainings_concerns_who_starts_from_f_theta_and_no_other_baseline(
    copy_of_compared,
):
    copy_of_compared.configure(tuning={"trials": 3, "max_radius": 2}, f_phi={"iterations": 40})
    planned = copy_of_compared.planned("results/demo/table1.md")
    trainings = {rule for rule in planned if rule.startswith("train_")}
    assert trainings == {"train_f_phi", "train_mean_teacher", "train_mean_teacher_sam"}
    assert not planned & {"clean", "refine", "tune_sam", "tune_random_walk", "random_walk", "embed"}


def test_the_same_length_in_other_words_reruns_nothing(copy_of_finished):
    copy_of_finished.configure(f_phi={"iterations": 30})
    assert copy_of_finished.planned() == set()


def test_second_trainings_have_their_own_length_and_all_others_that_of_f_theta(copy_of_finished):
    copy_of_finished.configure(
        methods=["unet", "unet_full", "mean_teacher", "ours_p", "ours_r", "ours_r_equal", "fixmatch"],
        f_phi={"iterations": 40},
    )
    outcome = copy_of_finished.run()
    assert outcome.returncode == 0, outcome.stdout
    curves = (copy_of_finished.folder / "results/demo").rglob("training.csv")
    last = {
        "/".join(curve.parts[-4::2]): curve.read_text().splitlines()[-1].split(",")[0] for curve in curves
    }
    assert last == {
        "n3/f_theta": "30",
        "full/f_theta": "30",
        "n3/f_phi_equal": "30",
        "n3/f_phi": "40",
        "n3/f_phi_p": "40",
        "n3/mean_teacher": "40",
        "n3/fixmatch": "40",
    }


def test_another_seed_trains_only_that_seed(copy_of_finished):
    copy_of_finished.configure(seeds=[0, 1])
    plan = copy_of_finished.run("-n").stdout
    assert "wildcards: dataset=demo, n=3, seed=1" in plan
    assert "wildcards: dataset=demo, n=3, seed=0" not in plan


def test_a_key_that_no_rule_uses_reruns_nothing(copy_of_finished):
    copy_of_finished.configure(ablation={"n": [1, 2]})
    assert copy_of_finished.planned() == set()
