"""Which jobs run again after an edit, and which do not."""

import json
import os
import re

import nibabel as nib
from safetensors.numpy import load_file, save_file

from support.tiny_project import add_cases, rows_of

METHODS = ["unet", "unet_sam", "ours_p", "ours_r", "unet_full", "unet_sam_zoom", "ours_r_zoom"]


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def replace_by_older(path, content):
    """Give a file another content and a time of modification before that of everything else."""
    path.write_bytes(content)
    os.utime(path, (10**9, 10**9))


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


def test_a_sam_checkpoint_replaced_by_an_older_one_reruns_what_asks_it(copy_of_finished):
    run = copy_of_finished.folder / "results/demo/n3/seed0"
    again = [
        copy_of_finished.folder / "results/demo/embeddings/tiny/unlabelled-0000.safetensors",
        run / "refined/unlabelled-0000.nii.gz",
        run / "f_phi/model.safetensors",
    ]
    kept = [run / "f_theta/model.safetensors", run / "cleaned/unlabelled-0000.nii.gz"]
    times = {file: file.stat().st_mtime_ns for file in [*again, *kept]}
    copy_of_finished.configure(sam={"models": {"tiny": {"sha256": None}}})  # else another file is refused
    assert copy_of_finished.planned() == set()
    file = copy_of_finished.folder / "resources/tiny_sam.safetensors"
    before, tensors = file.read_bytes(), load_file(file)
    name = next(iter(tensors))
    save_file({**tensors, name: tensors[name] * 1.5}, file)
    replace_by_older(file, file.read_bytes())
    assert {"check_sam", "list_cases"} <= copy_of_finished.planned()
    outcome = copy_of_finished.run("results/demo/n3/seed0/f_phi/model.safetensors")
    assert outcome.returncode == 0, outcome.stdout
    assert [file for file, time in times.items() if file.stat().st_mtime_ns != time] == again

    replace_by_older(file, before)
    assert "check_sam" in copy_of_finished.planned()


def test_files_of_the_user_count_by_content_and_not_by_time(finished, project):
    data, target = project.folder / "data", "results/demo/manifest.csv"
    source = finished.folder / "results/demo/phantom"
    add_cases(data, source, {name: name for name in rows_of(source)})
    project.configure(source={"format": "folder", "folder": "data"})
    outcome = project.run(target)
    assert outcome.returncode == 0, outcome.stdout
    image, label, sheet = (
        sorted((data / "images").iterdir())[0],
        sorted((data / "labels").rglob("*.png"))[0],
        data / "cases.csv",
    )
    for file in (image, label, sheet):
        before = file.read_bytes()
        replace_by_older(file, before[:-1] + bytes([before[-1] ^ 1]))
        assert project.planned(target) == {"list_cases"}, file
        replace_by_older(file, before)
    assert project.planned(target) == set()


def test_starting_over_a_deleted_part_of_the_results_is_made_again(copy_of_finished):
    results = copy_of_finished.folder / "results/demo"
    model = results / "n3/seed0/f_theta/model.safetensors"
    model.rename(model.with_name("moved"))
    assert "train_f_theta" in copy_of_finished.planned("--rerun-triggers", "mtime")
    model.with_name("moved").rename(model)
    (results / "n3/seed0").rename(results / "moved")
    assert {"train_f_theta", "train_f_phi"} <= copy_of_finished.planned("--rerun-triggers", "mtime")
    (results / "moved").rename(results / "n3/seed0")
    (results / "embeddings").rename(results / "moved")
    # Embeddings are a means: they are made again when a job needs them.
    assert "embed" not in copy_of_finished.planned("--rerun-triggers", "mtime")
    (results / "n3/seed0/f_theta/model.safetensors").unlink()
    assert {"embed", "train_f_theta"} <= copy_of_finished.planned("--rerun-triggers", "mtime")


def test_answers_that_snakemake_keeps_change_no_job_and_no_reason(copy_of_finished):
    edit(
        copy_of_finished.folder / "scripts/samcarry/prompting/cleaning.py", "if count == 0:", "if count < 1:"
    )
    results = copy_of_finished.folder / "results/demo"
    (results / "n3/dice.csv").unlink()
    os.utime(results / "prepared/test-0000/images.nii.gz")
    plans = []
    for _ in range(2):
        output = copy_of_finished.run("-n").stdout
        jobs = re.findall(r"^(?:local)?(?:rule|checkpoint) \w+:\n(?: +.*\n)+", output, re.MULTILINE)
        # Numbers of jobs, and the order of the files in a reason, say nothing.
        plans.append(sorted(sorted(re.split("[ ,;\n]+", re.sub(r"jobid: \d+", "", job))) for job in jobs))
        setup = copy_of_finished.folder / "workflow/common/setup.smk"
        setup.write_text(re.sub(r"\n +plan_faster\(.*\)", "", setup.read_text()))
    assert "plan_faster(" not in setup.read_text()
    assert plans[0] == plans[1]
    assert any({"Params", "changed"} <= set(job) for job in plans[0])
    assert any({"Missing", "output"} <= set(job) for job in plans[0])
