"""Reading given masks and the mean of the networks that judge them."""

import numpy as np

from samcarry.audit.cases import read_judged
from samcarry.storage.stacks import Stack, write_stack

CLASSES = ("a", "b")


def test_a_case_has_the_mean_of_the_networks_that_did_not_learn_from_it(tmp_path):
    masks = np.zeros((3, 2, 8, 8), np.uint8)
    masks[:, 0, 2:4] = 1
    write_stack(tmp_path / "masks.nii.gz", Stack(masks, "mask", ("x", "y", "z"), CLASSES))
    paths = []
    for number, value in enumerate((100, 201)):
        paths.append(str(tmp_path / f"{number}.nii.gz"))
        values = np.full((3, 2, 8, 8), value, np.uint8)
        write_stack(paths[-1], Stack(values, "probability", ("x", "y", "z"), CLASSES))
    judged = read_judged([str(tmp_path / "masks.nii.gz")], paths, [["x", "y"], ["y"]], CLASSES)
    assert [(case.case, case.networks, case.seen[0, 0, 0]) for case in judged] == [
        ("x", 1, 100),
        ("y", 2, 150),
    ]
    assert judged[0].given[0, 2:4].all()
    assert not judged[0].given[1].any()
