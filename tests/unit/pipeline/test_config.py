"""Parts of a config that have to fit together: one line if they do not."""

import copy

import pytest
import yaml

from samcarry.errors import InputError, raise_faults
from samcarry.methods import PAIRS
from samcarry.pipeline.config import (
    asking_of,
    compose_names,
    embedding_notes,
    is_papers_way,
    main_sams,
    method_notes,
    mirrored_side,
    needs_much_memory,
    pairs_of,
    primary_of,
    reading_notes,
    refiners_tuned,
    sams_of,
)
from samcarry.pipeline.config_faults import setting_faults
from samcarry.sam.checkpoints import BUILDERS
from samcarry.sam.own_models import EMBEDDING_BYTES
from support.paths import ROOT


@pytest.fixture
def config(tmp_path):
    checkpoint = tmp_path / "sam.safetensors"
    checkpoint.write_bytes(b"x")
    return {
        "images": {"height": 32, "width": 48, "window": None},
        "training": {"depth": 4},
        "source": {"format": "phantom"},
        "fetch": {"when": "never", "data": {}},
        "methods": ["unet", "ours_r"],
        "ablation": {"n": [], "methods": ["unet"]},
        "table": {"methods": ["unet", "ours_r"]},
        "tuning": {"trials": 0},
        "evaluation": {"primary": None, "margin": 2},
        "nnunet": {"epochs": 1000, "iterations_per_epoch": 250, "max_batch_size": None},
        "medsam": {"model": "small"},
        "zoom": {"model": None, "multimask": False},
        "sam": {
            "model": "tiny",
            "multimask": False,
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


def check_settings(config):
    raise_faults(setting_faults(config, is_valid=True))


def test_a_good_config_passes_and_its_models_are_completed(config):
    check_settings(config)
    assert config["sam"]["models"]["tiny"]["protocol"] == "sam"
    assert config["sam"]["models"]["tiny"]["sha256"] is None


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"images__width": 40}, ("images.width is 40", "multiple of 16")),
        ({"images__window": [0.005, 0.995]}, ("images.window [0.005, 0.995]", "from 0 to 100", "fractions")),
        ({"images__window": [99.5, 0.5]}, ("images.window [99.5, 0.5]", "not two increasing percentiles")),
        ({"source__format": "folder"}, ("source.folder", "where the data are")),
        ({"methods": ["unet_sma"]}, ("methods: 'unet_sma' is not a method", "did you mean 'unet_sam'")),
        ({"table__methods": ["ours"]}, ("table.methods: 'ours'", "choose from nnunet_bce")),
        ({"sam__model": "huge"}, ("sam.model is 'huge'", "tiny, small")),
        ({"sam__model": "small"}, ("boxes only", "medsam.model")),
        ({"medsam__model": "tiny"}, ("medsam.model is 'tiny'", "protocol: medsam")),
        ({"zoom__model": "huge"}, ("zoom.model is 'huge'", "tiny, small")),
        ({"zoom__model": "small"}, ("zoom.model is 'small'", "cannot be asked on crops", "protocol: sam")),
        ({"sam__multimask": True}, ("sam.multimask is true", "'tiny' is a tiny SAM", "set it to false")),
        ({"zoom__multimask": True}, ("zoom.multimask is true", "'tiny' is a tiny SAM")),
        ({"evaluation__primary": ["ours", "unet"]}, ("evaluation.primary: 'ours' is not a method",)),
        ({"evaluation__primary": ["ours_p", "unet"]}, ("evaluation.primary compares ours_p", "lists both")),
        ({"medsam__model": None, "methods": ["unet_medsam"]}, ("unet_medsam needs medsam.model",)),
        ({"sam__models__tiny__file": "no/where.pth"}, ("no/where.pth", "no such file")),
        ({"sam__models__tiny": {"model": "vit_b"}}, ("sam.models.tiny has neither file nor folder",)),
        (
            {"sam__models__tiny": {"model": "vit_b", "file": str(ROOT / "README.md"), "folder": "b"}},
            ("sam.models.tiny has both file and folder",),
        ),
        (
            {"sam__models__tiny": {"model": "tiny", "folder": "b", "file": str(ROOT / "README.md")}},
            ("'tiny' is not read from a folder",),
        ),
        (
            {"sam__models__tiny": {"model": "sam2.1_tiny", "folder": "no/where"}},
            ("no/where/config.json", "no such file"),
        ),
        (
            {"sam__models__small": {"model": "sam2.1_tiny", "folder": "b", "protocol": "medsam"}},
            ("sam.models.small", "protocol medsam is for MedSAM"),
        ),
    ],
)
def test_what_does_not_fit_is_reported_in_one_line(config, change, parts):
    with pytest.raises(InputError) as caught:
        check_settings(changed(config, **change))
    assert all(part in str(caught.value) for part in parts)
    assert "\n" not in str(caught.value)


def test_a_folder_stands_for_its_config_and_checking_twice_changes_nothing(config, tmp_path):
    (tmp_path / "config.json").touch()
    config["sam"]["models"]["tiny"] = {"model": "sam2.1_tiny", "folder": str(tmp_path)}
    for _ in range(2):
        check_settings(config)
        assert config["sam"]["models"]["tiny"]["file"] == f"{tmp_path}/config.json"


def test_large_embeddings_are_announced_with_their_size(config):
    config["sam"] |= {"embeddings": "keep", "zoom": None, "image": "network"}
    config["zoom"] |= {"zoom": 3.0, "image": "original"}
    assert embedding_notes(config, 250) == []  # the tiny SAM
    config["sam"]["models"]["tiny"]["model"] = "sam2.1_large"
    [unknown], [known] = embedding_notes(config, None), embedding_notes(config, 250)
    assert "`tiny` (sam2.1_large) take 8.4 MB an image; `sam.embeddings: temporary`" in unknown
    assert "8.4 MB an image, 2.1 GB for 250 images;" in known
    config["sam"]["embeddings"] = "temporary"
    assert embedding_notes(config, 250)[0].endswith("they are removed after use.")
    config["sam"]["zoom"] = 3.0  # crops are not stored
    assert embedding_notes(config, 250) == []


def test_every_model_of_the_schema_has_a_builder_and_a_size():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    entry = schema["properties"]["sam"]["properties"]["models"]["additionalProperties"]
    names = entry["properties"]["model"]["enum"]
    assert names == list(EMBEDDING_BYTES) == list(BUILDERS)


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


def test_the_primary_comparison_is_ours_r_against_unet_where_both_are_run(config):
    assert primary_of(config, ["unet", "ours_r", "ours_p"]) == ["ours_r", "unet"]
    assert primary_of(config, ["unet", "ours_p"]) is None


def test_another_primary_comparison_may_be_declared_and_is_made(config):
    other = changed(config, evaluation__primary=["fixmatch", "unet"], methods=["unet", "fixmatch"])
    check_settings(other)
    assert primary_of(other, ["unet", "fixmatch"]) == ["fixmatch", "unet"]
    assert primary_of(other, ["unet", "ours_r"]) is None
    assert pairs_of(other, ["unet", "fixmatch"])[-1] == ("fixmatch", "unet")
    assert pairs_of(config, ["unet", "ours_r"]) == [*PAIRS]


def test_a_shortened_nnunet_is_not_called_nnunets_ability(config):
    assert "nnunet" not in method_notes(config, "test")
    short = changed(config, nnunet={"epochs": 240, "iterations_per_epoch": 25, "max_batch_size": 2})
    for method in ("nnunet", "nnunet_bce"):
        note = method_notes(short, "test")[method]
        assert "6,000 iterations instead of nnU-Net's own 250,000, in batches of at most 2" in note
        assert "not what nnU-Net is capable of" in note
    whole = changed(config, nnunet={"epochs": 100, "iterations_per_epoch": 250, "max_batch_size": None})
    assert "batches" not in method_notes(whole, "test")["nnunet_bce"]


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
        (["unet_sam_zoom"], ["tiny"]),
    ],
)
def test_methods_need_their_sams(config, methods, asked):
    assert sams_of(config, methods) == asked


def test_the_rows_on_crops_may_ask_another_sam(config):
    entry = config["sam"]["models"]["tiny"]
    other = changed(config, zoom__model="other", sam__models__other=entry)
    check_settings(other)
    assert sams_of(other, ["unet_sam_zoom", "ours_r_zoom"]) == ["other"]
    assert sams_of(other, ["ours_r_zoom", "ours_r"]) == ["other", "tiny"]


def test_a_missing_checkpoint_is_noticed_also_if_only_rows_on_crops_need_it(config):
    entry = {"model": "tiny", "file": "no/where.pth"}
    other = changed(config, zoom__model="other", sam__models__other=entry)
    check_settings(copy.deepcopy(other))
    with pytest.raises(InputError, match=r"no/where\.pth"):
        check_settings(changed(other, methods=["unet_sam_zoom"]))


@pytest.mark.parametrize(
    ("change", "official"),
    [
        ({}, False),
        ({"sam__models__tiny__model": "small"}, False),
        ({"sam__models__tiny__model": "vit_b"}, True),
        ({"zoom__model": "other"}, True),
        ({"medsam__model": "other"}, True),
        ({"medsam__model": None}, False),
    ],
)
def test_only_the_small_sams_do_without_much_memory(config, change, official):
    with_other = changed(config, sam__models__other={"model": "vit_h"})
    assert needs_much_memory(changed(with_other, **change)) is official


PAPER = {
    "first": "box",
    "second": "pos+neg",
    "zoom": None,
    "image": "network",
    "prior": "none",
    "fuse": 1,
    "multimask": False,
    "prompts": 1,
    "rounds": 1,
}


@pytest.mark.parametrize("prompts", [{}, {"first": "pos"}, {"second": None}])
def test_any_prompts_on_the_whole_image_are_the_papers_way(prompts):
    assert is_papers_way(asking_of({**PAPER, **prompts, "model": "tiny", "models": {}}))


@pytest.mark.parametrize(
    "change",
    [
        {"zoom": 3},
        {"image": "original"},
        {"prior": "P"},
        {"fuse": 0.9},
        {"multimask": True},
        {"prompts": 2},
        {"rounds": 2},
    ],
)
def test_every_other_key_leaves_the_papers_way(change):
    assert not is_papers_way(asking_of({**PAPER, **change}))


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


@pytest.mark.parametrize("trials", [0, 5])
def test_a_sam_that_was_chosen_on_the_judged_cases_is_noted_even_without_tuning_of_settings(config, trials):
    changed_config = changed(config, tuning__trials=trials)
    notes = method_notes(changed_config, "val")
    for method in ("unet_sam_adapted", "ours_best", "best_from_f_theta"):
        assert notes[method].startswith("its SAM was chosen on the same cases")
    assert "best_no_sam" not in notes
    assert "ours_best" not in method_notes(changed_config, "test")


@pytest.mark.parametrize(
    ("methods", "trials", "studies"),
    [
        (["unet", "ours_p", "mean_teacher"], 5, []),
        (["ours_r"], 5, ["sam"]),
        (["unet_random_walk", "unet_medsam", "unet_sam"], 5, ["sam", "medsam", "random_walk"]),
        (["ours_r_zoom", "ours_r"], 5, ["sam", "zoom"]),
        (["unet_sam"], 0, []),
    ],
)
def test_the_studies_that_tune_a_table_are_those_of_its_methods(config, methods, trials, studies):
    assert refiners_tuned(changed(config, table__methods=methods, tuning__trials=trials)) == studies


COMPOSED, DECOMPOSED = "f\u00e9mur", "fe\u0301mur"


def test_names_are_composed_like_those_of_files_and_paths_are_kept():
    block = {
        "images": f"data/{DECOMPOSED}",
        "table": f"data/{DECOMPOSED}.csv",
        "classes": {DECOMPOSED: DECOMPOSED, "other": None},
        "label": DECOMPOSED,
        "attribute": None,
    }
    config = {
        "classes": [DECOMPOSED, "ulna"],
        "splits": {"patient_pattern": f"^({DECOMPOSED})"},
        "review": {"first": {"columns": [DECOMPOSED]}},
        "source": {"format": "cvat", "cvat": block},
    }
    compose_names(config)
    assert config["classes"] == [COMPOSED, "ulna"]
    assert config["splits"]["patient_pattern"] == f"^({COMPOSED})"
    assert config["review"]["first"]["columns"] == [COMPOSED]
    assert block["images"] == f"data/{DECOMPOSED}"
    assert block["table"] == f"data/{DECOMPOSED}.csv"
    assert block["classes"] == {COMPOSED: COMPOSED, "other": None}
    assert (block["label"], block["attribute"]) == (COMPOSED, None)
    block["table"] = {1: DECOMPOSED}
    compose_names(config)
    assert block["table"] == {1: COMPOSED}
    block["classes"] = {COMPOSED: "a", DECOMPOSED: "b"}
    with pytest.raises(InputError, match="classes: a name is listed twice"):
        compose_names(config)


@pytest.mark.parametrize(
    ("source", "side"),
    [
        ({"format": "phantom"}, None),
        ({"format": "cvat", "cvat": {"table": "sides.csv", "mirror_right": True}}, "right"),
        ({"format": "cvat", "cvat": {"table": "sides.csv", "mirror_right": False}}, None),
        ({"format": "cvat", "cvat": {"table": None, "mirror_right": True}}, None),
    ],
)
def test_only_an_import_with_a_table_mirrors_a_side(source, side):
    assert mirrored_side({"source": source}) == side


@pytest.mark.parametrize(("column", "side"), [("mirrored", "right"), ("remark", None)])
def test_a_copy_of_an_import_knows_that_images_are_mirrored(tmp_path, column, side):
    (tmp_path / "cases.csv").write_text(f"case,{column}\na,0\nb,1\n")
    assert mirrored_side({"source": {"format": "folder", "folder": str(tmp_path)}}) == side


def test_readers_learn_which_sam_was_not_an_official_one(config):
    (note,) = reading_notes(config, ["unet_sam", "ours_r"])
    assert note.startswith("SAM `tiny` is the tiny one that is included")
    assert reading_notes(changed(config, sam__models__tiny__model="vit_h"), ["unet_sam"]) == []
    assert reading_notes(config, ["unet"]) == []
    (note,) = reading_notes(config | {"preset": "fast"}, ["unet"])
    assert "say nothing about a method" in note


def test_measurements_are_checked_one_by_one(config):
    block = {"gap": {"between": ["Radius", "Ulna"]}}
    check_settings(changed(config, measurements=block, classes=None))
    check_settings(changed(config, measurements=block, classes=["Radius", "Ulna"]))
    wrong = {**block, "turn": {"between": ["axis of Radius", "Ulna"]}}
    with pytest.raises(InputError) as caught:
        check_settings(changed(config, measurements=wrong, classes=["Radius"]))
    first, second = str(caught.value).splitlines()
    assert first.startswith("measurements.gap: 'Ulna' is not a class")
    assert second.startswith("measurements.turn: 'Ulna' is not a class")
