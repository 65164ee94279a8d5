"""Which networks judge which labels; the page itself is made in test_hostile_names.py."""

import re

PAGE = "results/demo/audit/index.html"


def inputs_of_audit(project, **config):
    """The inputs of the audit in a plan."""
    project.configure(**config)
    plan = project.run("-n", PAGE).stdout
    (inputs,) = re.findall(r"rule audit_labels:\n +input: (.*)\n", plan)
    return inputs


def test_no_network_judges_labels_that_it_learned_from(copy_of_finished):
    inputs = inputs_of_audit(copy_of_finished, audit={"folds": 2})
    for fold in (1, 2):
        assert f"n3-without{fold}of2/seed0/f_theta/probabilities/train-0000.nii.gz" in inputs
    for split in ("val", "test"):
        assert f"n3/seed0/f_theta/probabilities/{split}-0000.nii.gz" in inputs
    assert "n3/seed0/f_theta/probabilities/train-0000.nii.gz" not in inputs
    assert not re.search(r"unlabelled-\d+/masks", inputs)

    inputs = inputs_of_audit(copy_of_finished, audit={"folds": 2, "hidden": True})
    assert re.search(r"unlabelled-\d+/masks", inputs)
    assert "n3/seed0/f_theta/probabilities/unlabelled-0000.nii.gz" in inputs
