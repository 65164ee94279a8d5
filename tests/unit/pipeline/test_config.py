"""Parts of a config that have to fit together: one line if they do not."""

import copy

import pytest

from samcarry.errors import InputError
from samcarry.pipeline.config import check_settings, main_sams, method_notes, refiners_tuned, sams_of


@pytest.fixture
def config(tmp_path):
    checkpoint = tmp_path / "sam.safetensors"
    checkpoint.write_bytes(b"x")
    return {
        "images": {"height": 32, "width": 48},
        "training": {"depth": 4},
        "source": {"format": "phantom"},
        "methods": ["unet", "ours_r"],
        "ablation": {"n": [], "methods": ["unet"]},
        "table": {"methods": ["unet", "ours_r"]},
        "tuning": {"trials": 0},
        "medsam": {"model": "small"},
        "sam": {
            "model": "tiny",
            "models": {
                "tiny": {"model": "tiny", "file": str(checkpoint)},
                "small": {"model": "tiny", "protocol": "medsam", "file": str(checkpoint)},
            },
        },
    }


def changed(config, **keys):
    """A copy with dotted keys set, written with __ for the dot."""
    config = copy.deepcopy(config)
    for key, value in keys.items():
        *blocks, last = key.split("__")
        place = config
        for block in blocks:
            place = place[block]
        place[last] = value
    return config


def test_a_good_config_passes_and_its_models_are_completed(config):
    check_settings(config)
    assert config["sam"]["models"]["tiny"]["protocol"] == "sam"
    assert config["sam"]["models"]["tiny"]["sha256"] is None


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"images__width": 40}, ("images.width is 40", "multiple of 16")),
        ({"source__format": "folder"}, ("source.folder", "where the data are")),
        ({"methods": ["unet_sma"]}, ("methods: 'unet_sma' is not a method", "did you mean 'unet_sam'")),
        ({"table__methods": ["ours"]}, ("table.methods: 'ours'", "choose from nnunet_bce")),
        ({"sam__model": "huge"}, ("sam.model is 'huge'", "tiny, small")),
        ({"sam__model": "small"}, ("boxes only", "medsam.model")),
        ({"medsam__model": "tiny"}, ("medsam.model is 'tiny'", "protocol: medsam")),
        ({"medsam__model": None, "methods": ["unet_medsam"]}, ("unet_medsam needs medsam.model",)),
        ({"sam__models__tiny__file": "no/where.pth"}, ("no/where.pth", "no such file")),
    ],
)
def test_what_does_not_fit_is_reported_in_one_line(config, change, parts):
    with pytest.raises(InputError) as caught:
        check_settings(changed(config, **change))
    assert all(part in str(caught.value) for part in parts)
    assert "\n" not in str(caught.value)


IMPORT = {
    "images": "images",
    "annotations": "a.xml",
    "classes": {},
    "only_named": False,
    "cases": None,
    "counts": None,
    "table": None,
    "order": None,
    "unlabelled": None,
}


def with_import(config, **keys):
    return changed(config, source={"format": "cvat", "cvat": IMPORT | keys})


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"counts": {"train": 1}},
        {"cases": "cases.csv", "annotations": {"train": ["a.xml"]}},
        {"table": "t.csv", "order": "o.csv", "unlabelled": 9, "annotations": {"train": ["a.xml"]}},
    ],
)
def test_imports_that_fit(config, keys):
    check_settings(with_import(config, **keys))


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ({"order": "o.csv"}, ("source.cvat.order needs a table",)),
        ({"unlabelled": 9}, ("source.cvat.unlabelled needs a table",)),
        ({"table": "t.csv"}, ("source.cvat.annotations", "by split")),
        ({"table": "t.csv", "classes": {"a": "b"}}, ("source.cvat.classes", "without a table")),
        ({"counts": {"train": 1}, "cases": "c.csv"}, ("source.cvat.counts and cases",)),
        ({"counts": {"train": 1}, "annotations": {"train": "a.xml"}}, ("counts and annotations by split",)),
    ],
)
def test_contradicting_keys_of_an_import_are_reported_in_one_line(config, keys, parts):
    with pytest.raises(InputError) as caught:
        check_settings(with_import(config, **keys))
    assert all(part in str(caught.value) for part in parts)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_that_no_method_needs_may_be_missing(config):
    check_settings(changed(config, sam__models__tiny__file="no/where.pth", methods=["unet", "ours_p"]))


@pytest.mark.parametrize(
    ("methods", "asked"),
    [
        (["unet", "ours_p", "unet_full", "mean_teacher", "nnunet_bce", "unet_random_walk"], []),
        (["unet", "ours_r"], ["tiny"]),
        (["sam_lraspp"], ["tiny"]),
        (["mean_teacher_sam"], ["tiny"]),
        (["unet_medsam"], ["small"]),
        (["unet_medsam", "unet_sam"], ["small", "tiny"]),
    ],
)
def test_methods_need_their_sams(config, methods, asked):
    assert sams_of(config, methods) == asked


def test_the_ablations_sams_count_only_where_there_is_an_ablation(config):
    without = changed(config, methods=["unet"], ablation={"n": [], "methods": ["ours_r"]})
    assert main_sams(without) == []
    assert main_sams(changed(without, ablation__n=[1])) == ["tiny"]


def test_a_stand_in_for_medsam_is_noted_and_medsam_itself_is_not(config):
    assert "not MedSAM's own weights" in method_notes(config, "test")["unet_medsam"]
    genuine = changed(config, sam__models__small__model="vit_b")
    assert method_notes(genuine, "test") == {}


def test_tuning_on_the_judged_cases_is_noted(config):
    notes = method_notes(changed(config, tuning__trials=5), "val")
    assert "tuned on the same cases" in notes["unet_sam"]
    assert "not MedSAM's own weights; its settings were tuned" in notes["unet_medsam"]
    assert "tuned on the same cases" in notes["ours_r"]
    assert "unet" not in notes


@pytest.mark.parametrize(
    ("methods", "trials", "studies"),
    [
        (["unet", "ours_p", "mean_teacher"], 5, []),
        (["ours_r"], 5, ["sam"]),
        (["unet_random_walk", "unet_medsam", "unet_sam"], 5, ["sam", "medsam", "random_walk"]),
        (["unet_sam"], 0, []),
    ],
)
def test_the_studies_that_tune_a_table_are_those_of_its_methods(config, methods, trials, studies):
    assert refiners_tuned(changed(config, table__methods=methods, tuning__trials=trials)) == studies
