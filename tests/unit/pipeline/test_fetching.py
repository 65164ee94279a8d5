from pathlib import Path

import pytest

from samcarry.errors import InputError
from samcarry.pipeline.config_faults import check_files, setting_faults
from samcarry.pipeline.fetching import (
    LIST,
    fetches_data,
    missing_checkpoints,
    missing_data,
    own_files,
    targets_of,
)
from samcarry.pipeline.settings import complete, read_configs
from samcarry.pipeline.sources import user_paths
from support.paths import ROOT

ADDRESS = "https://host/file"
DIGEST = "0" * 64


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A complete config with a study that is to be fetched."""
    monkeypatch.chdir(tmp_path)
    config = {
        "preset": "none",
        "source": {"format": "coco", "coco": {"images": "data/img", "annotations": "data/a.json"}},
        "classes": None,
        "images": {"height": 32, "width": 32},
        "n": 1,
        "dataset": "mine",
        "sam": {
            "model": "vit_b",
            "models": {"vit_b": {"model": "vit_b", "file": "b.pth", "sha256": DIGEST, "url": ADDRESS}},
        },
        "fetch": {
            "when": "missing",
            "data": {
                "list": {"url": ADDRESS, "sha256": DIGEST, "file": "data/a.json"},
                "images": {"figshare": "10.6084/m9.figshare.1", "unpack": {"*.png": "data/img"}},
            },
        },
    }
    assert complete(config, ROOT) == []
    return config


def test_what_is_missing_is_fetched_and_what_is_there_is_not(config, tmp_path):
    assert list(missing_checkpoints(config, ["vit_b"])) == ["b.pth"]
    assert fetches_data(config, "results/mine")
    Path("b.pth").touch()
    Path("data/img").mkdir(parents=True)
    Path("data/a.json").touch()
    assert missing_checkpoints(config, ["vit_b"]) == {}
    assert not fetches_data(config, "results/mine")
    Path("results/mine").mkdir(parents=True)
    Path("results/mine", LIST).touch()  # the rule has fetched them
    assert fetches_data(config, "results/mine")
    assert own_files(config, ["data/a.json", "data/img/x.png", "data/b.json"]) == ["data/b.json"]


def test_nothing_is_fetched_unless_the_config_says_so(config):
    config["fetch"]["when"] = "never"
    assert missing_checkpoints(config, ["vit_b"]) == {}
    assert not fetches_data(config, "results/mine")
    lines = missing_data(config)
    assert [line.split(":")[0] for line in lines] == ["fetch.data.list", "fetch.data.images"]
    assert "there is no data/a.json: get it from https://host/file, or set" in lines[0]
    assert "https://doi.org/10.6084/m9.figshare.1 (file *)" in lines[1]
    with pytest.raises(InputError, match=r"put https://host/file there, or set fetch\.when to missing"):
        check_files(config, ["vit_b"])
    faults = setting_faults(config, is_valid=True)
    assert len(faults) == 3
    config["fetch"]["data"] = {}
    config["sam"]["models"]["vit_b"]["url"] = None
    assert setting_faults(config, is_valid=True)[0].endswith(
        "put the checkpoint there, or choose another model"
    )


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "exactly one of url, figshare and kaggle"),
        ({"kaggle": "a/b"}, "exactly one"),
        ({"sha256": None}, "sha256 is that of the file at url"),
        ({"file": None}, "either file or unpack"),
        ({"unpack": {"*": "x"}}, "either file or unpack"),
        ({"url": None, "sha256": None, "kaggle": "a/b"}, "archives need unpack"),
        ({"file": "/"}, "need a name"),
    ],
)
def test_entries_that_are_not_complete(config, entry, words):
    if not entry:
        config["fetch"]["data"]["list"]["url"] = None
    config["fetch"]["data"]["list"] |= entry
    [fault] = setting_faults(config, is_valid=True)
    assert fault.startswith("fetch.data.list: ")
    assert words in fault


def test_what_cannot_be_fetched(config):
    config["source"] = {"format": "folder", "folder": "mine"}
    assert "is for imports" in setting_faults(config, is_valid=True)[0]
    config["sam"]["models"]["vit_b"]["sha256"] = None
    assert "`file` with `sha256`" in setting_faults(config, is_valid=True)[0]


@pytest.mark.parametrize("name", ["wrist", "teeth"])
def test_the_studies_name_all_files_that_they_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config, _ = read_configs([ROOT / f"config/{name}.yaml"], ROOT)
    assert complete(config, ROOT) == []
    made = {path for entry in config["fetch"]["data"].values() for path in targets_of(entry)}
    assert own_files(config, user_paths(config["source"])) == []
    assert all(path.startswith(f"data/{name}/") for path in made)
    assert list(missing_checkpoints(config, ["vit_h"])) == ["resources/sam_vit_h_4b8939.pth"]
