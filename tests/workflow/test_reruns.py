"""Which jobs run again after an edit, and which do not."""


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


def test_another_seed_trains_only_that_seed(copy_of_finished):
    copy_of_finished.configure(seeds=[0, 1])
    plan = copy_of_finished.run("-n").stdout
    assert "wildcards: dataset=demo, n=3, seed=1" in plan
    assert "wildcards: dataset=demo, n=3, seed=0" not in plan


def test_a_key_that_no_rule_uses_reruns_nothing(copy_of_finished):
    copy_of_finished.configure(ablation={"n": [1, 2]})
    assert copy_of_finished.planned() == set()
