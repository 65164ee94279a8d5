"""A config as the workflow uses it: presets and defaults filled in, and all faults at once."""

from functools import partial

import pytest

from samcarry.errors import InputError
from samcarry.pipeline.settings import PRESETS, complete, merge, read_config, read_configs
from support.ordinary_user import as_ordinary_user, folder_for_all
from support.paths import ROOT

STUDY = {
    "dataset": "mine",
    "source": {"format": "folder", "folder": "data/mine"},
    "images": {"height": 96, "width": 96},
    "n": 3,
}


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)  # where the included checkpoints are


def study(**changes):
    return merge(STUDY, changes)


def write(folder, text, name="mine.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def test_all_faults_are_found_at_once_each_in_one_line():
    config = study(
        preset="none",
        n="3",
        cleaning={"raduis": 3},
        images={"height": 30},
        methods=["ours"],
        sam={"model": "x"},
    )
    faults = complete(config, ROOT)
    for part in (
        "n: '3' is not of type 'integer'",
        "cleaning: 'raduis' was unexpected: there is no such key; did you mean 'radius'?",
        "images.height is 30",
        "methods: 'ours' is not a method; did you mean",
        "sam.model is 'x'",
    ):
        assert [fault for fault in faults if part in fault], (part, faults)
    assert not any("\n" in fault for fault in faults)


@pytest.mark.parametrize("preset", [*PRESETS, "none"])
def test_a_study_of_five_keys_and_a_preset_is_complete(preset):
    config = study(preset=preset)
    faults = complete(config, ROOT)
    assert [fault for fault in faults if not fault.startswith("sam.models.vit_h is")] == []
    assert config["training"]["depth"] == 4
    assert config["review"]["shown"] == 200


def test_explicit_keys_take_precedence_over_a_preset():
    config = study(preset="fast", training={"width": 12}, seeds=[4, 5])
    assert complete(config, ROOT) == []
    assert config["training"]["width"] == 12
    assert config["training"]["iterations"] == 900
    assert config["seeds"] == [4, 5]


def test_recommended_has_the_rows_of_the_small_machine():
    config = study(preset="recommended")
    assert complete(config, ROOT) == []
    small = read_config("config/small_machine.yaml")
    assert config["methods"] == small["methods"]
    assert config["table"]["methods"] == small["table"]["methods"]
    assert config["sam"]["model"] == config["zoom"]["model"] == "small"


def test_an_unknown_preset_is_refused():
    assert any("'best' is not one of" in fault for fault in complete(study(preset="best"), ROOT))


def test_a_config_without_a_preset_has_the_demos_values_and_a_note(tmp_path):
    path = write(tmp_path, "dataset: mine\nn: 4\n")
    config, notes = read_configs([path], ROOT)
    assert config["training"] == read_config("config.yaml")["training"]
    assert (config["dataset"], config["n"]) == ("mine", 4)
    assert len(notes) == 1
    assert "mine.yaml" in notes[0]
    assert "preset: none" in notes[0]


def test_a_config_with_a_preset_has_none_of_the_demos_values(tmp_path):
    path = write(tmp_path, "preset: none\ndataset: mine\n")
    config, notes = read_configs([path], ROOT)
    assert (config, notes) == ({"preset": "none", "dataset": "mine"}, [])


def test_the_demo_has_no_note():
    assert read_configs([], ROOT) == (read_config("config.yaml"), [])
    assert read_configs(["config.yaml"], ROOT)[1] == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("n: 3\nimages:\n\theight: 32\n", ("mine.yaml, line 3", "tab", "blanks")),
        ("n: 3\nimages: {height: 32\n", ("mine.yaml, line", "correct this line")),
        ("- n\n", ("mine.yaml", "not a mapping")),
    ],
)
def test_a_config_that_cannot_be_read_names_file_and_line(tmp_path, text, parts):
    with pytest.raises(InputError) as caught:
        read_config(write(tmp_path, text))
    assert all(part in str(caught.value) for part in parts), caught.value


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("splits: {seed: 1}\nn: 3\nsplits: {seed: 2}\n", "line 3: repeats the key 'splits' of line 1"),
        ("training:\n  iterations: 30\n  iterations: 40\n", "line 3: repeats the key 'iterations' of line 2"),
        ("splits: {seed: 1, seed: 2}\n", "line 1: repeats the key 'seed' of line 1"),
        ("seeds: [0, 010]\n", "line 1: 010 is read as the number 8"),
        ("n: 1:30\n", "line 1: 1:30 is read as the number 90"),
    ],
)
def test_what_yaml_would_read_otherwise_than_a_person_is_refused(tmp_path, text, part):
    with pytest.raises(InputError) as error:
        read_config(write(tmp_path, text))
    assert part in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["n: 0\nseeds: [00, 01, 7]\n", "dataset: '010'\nwindow: [0.5, 99.5]\n", "a: ~\n"]
)
def test_usual_numbers_and_texts_are_accepted(tmp_path, text):
    read_config(write(tmp_path, text))


def test_a_missing_config_is_one_line_with_a_suggestion(tmp_path):
    write(tmp_path, "n: 3\n")
    with pytest.raises(InputError, match=r"mien\.yaml: there is no such config; did you mean .*mine\.yaml"):
        read_config(tmp_path / "mien.yaml")


@pytest.mark.parametrize("name", ["wrist", "teeth"])
def test_the_papers_studies_have_the_papers_settings(name):
    config, notes = read_configs([f"config/{name}.yaml"], ROOT)
    faults = complete(config, ROOT)
    assert [fault for fault in faults if "vit_h" not in fault] == notes == []
    assert config["f_phi"]["iterations"] == 10500
    assert config["training"]["max_positive_weight"] == 1000
    assert config["sam"]["model"] == "vit_h"
    assert config["tuning"]["trials"] == 200
    assert config["precision"] == "float32"


def test_hidden_labels_cannot_be_fewer_than_n():
    config = study(preset="none", splits={"hide_labels_beyond": 2})
    assert complete(config, ROOT) == [
        "splits.hide_labels_beyond is 2, but n or ablation.n asks for 3 labelled cases: raise it to 3 or "
        "more, or lower them"
    ]


def test_checkpoints_in_a_folder_that_may_not_be_entered_are_one_line():
    complete(study(preset="none"), ROOT)  # imports what it needs
    with folder_for_all() as folder:
        (folder / "sams").mkdir()
        model = {"mine": {"file": str(folder / "sams/sam.pth"), "model": "vit_b"}}
        config = study(preset="none", sam={"model": "mine", "models": model})
        (folder / "sams").chmod(0o000)
        faults = as_ordinary_user(partial(complete, config, ROOT))
        (folder / "sams").chmod(0o700)
    assert [line for line in faults if "sam.pth: Permission denied" in line]
