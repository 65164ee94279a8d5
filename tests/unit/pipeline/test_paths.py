"""Where results are."""

import re

import pytest

from samcarry.pipeline.paths import SUBSETS, Results, Subset, subset_named, subset_of

DEMO = Results("demo")


def test_a_method_of_a_subset_has_its_files_below_n_and_seed():
    assert DEMO.predictions("unet_sam", 8, 1, ["val-0000"]) == [
        "results/demo/n8/seed1/refined/val-0000.nii.gz"
    ]
    assert DEMO.dice("ours_r", 8, 1) == "results/demo/n8/seed1/dice/ours_r.csv"


def test_full_supervision_has_its_files_below_full_whatever_n_is():
    assert subset_of("unet_full", 5) == subset_of("unet_full", 8) == "full"
    assert DEMO.predictions("unet_full", 5, 0, ["test-0000"]) == [
        "results/demo/full/seed0/f_theta/probabilities/test-0000.nii.gz"
    ]
    assert DEMO.dice("unet_full", 5, 0) == "results/demo/full/seed0/dice/unet_full.csv"


def test_files_of_shards_keep_the_order_of_the_shards():
    shards = ["test-0001", "test-0000"]
    assert [path.split("/")[3] for path in DEMO.prepared("masks", shards)] == shards
    assert DEMO.per_shard("n3", 0, "weights", shards, ".csv")[0] == (
        "results/demo/n3/seed0/weights/test-0001.csv"
    )


def test_a_number_is_traced_to_the_file_its_log_and_a_command():
    trace = dict(DEMO.how_to_trace(3, 0, "ours_r"))
    assert "results/demo/n3/seed0/dice/ours_r.csv" in trace.values()
    assert "results/demo/logs/n3/seed0/evaluate/ours_r.log" in trace.values()
    assert "results/demo/n3/seed0/f_phi/probabilities/" in trace.values()
    assert any(text.startswith("snakemake results/demo/n3/seed0/dice/ours_r.csv") for text in trace.values())


def test_full_supervision_is_traced_below_full():
    paths = " ".join(path for _, path in DEMO.how_to_trace(3, 0, "unet_full"))
    assert "results/demo/full/seed0/dice/unet_full.csv" in paths
    assert "/n3/" not in paths


@pytest.mark.parametrize(
    ("name", "subset"),
    [
        ("n45", Subset(45)),
        ("n45-without1of3", Subset(45, 1, 3)),
        ("n45-draw2", Subset(45, draw=2)),
        ("n45-draw2-without1of3", Subset(45, 1, 3, 2)),
        ("full", Subset(0)),
    ],
)
def test_a_subset_and_the_name_of_its_folder_stand_for_each_other(name, subset):
    assert subset_named(name) == subset
    assert subset.name == name
    assert re.fullmatch(SUBSETS, name)


@pytest.mark.parametrize(
    "name", ["n", "n45-without1", "45", "n45-without1of3/seed0", "n45-draw", "n-draw2", "fuller"]
)
def test_other_names_are_no_subsets(name):
    assert not re.fullmatch(SUBSETS, name)
