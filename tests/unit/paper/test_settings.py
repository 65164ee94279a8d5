"""The settings in the folder of a paper say how a study was made, and name nobody and no file."""

import re

import yaml

from samcarry.paper.digests import files_of
from samcarry.paper.folder import write_paper
from samcarry.paper.settings import settings_of
from samcarry.paper.verify import verify
from support.paper_run import make_run
from support.paths import ROOT

NAME = "Quarkbart_1975-03-01"
KEPT = {"dataset": "demo", "sam.model": "tiny"}  # the names of the data set and of its SAM, docs/privacy.md


def _planted(node, place=""):
    """A value for each key of a config that can hold a text of the user's choice, which is a name."""
    if place in KEPT:
        return KEPT[place]
    kinds = node.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "object" in kinds:
        free = node.get("additionalProperties")
        keys = node.get("properties", {}).items()
        inner = {key: _planted(value, f"{place}.{key}".strip(".")) for key, value in keys}
        if isinstance(free, dict):
            name = "tiny" if place == "sam.models" else NAME
            inner[name] = _planted(free, f"{place}.*")
        return {key: value for key, value in inner.items() if value is not None}
    if "enum" in node or "method" in node.get("$ref", ""):
        return None
    if "string" in kinds:
        fitting = (text for text in (NAME, f"https://{NAME}/x") if re.search(node.get("pattern", ""), text))
        return next(fitting, None)
    if "array" in kinds:
        item = _planted(node.get("items", {}), f"{place}[]")
        return None if item is None else [item, item]
    return None


def _texts(value, place=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{place}.{key}".strip("."))
    elif isinstance(value, list):
        yield from (found for inner in value for found in _texts(inner, place))
    else:
        yield place


def test_no_name_of_a_config_is_in_any_file_of_the_folder(tmp_path):
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    config = _planted(schema)
    places = set(_texts(config))
    assert {
        "splits.patient_pattern",
        "splits.accepted_duplicates",
        "source.folder",
        "source.cvat.images",
        "source.cvat.cases",
        "sam.models.tiny.file",
        "sam.models.tiny.url",
        f"measurements.{NAME}.between",
        "review.first.columns",
        "review.tasks.url",
        "corrections",
        "fetch.figshare",
    } <= places
    settings = settings_of(config, [], {"torch": "2.14"}, "0.1.0")
    run = make_run(tmp_path)
    write_paper(tmp_path / "paper", make_run(tmp_path, settings={**run.settings, **settings}))
    assert not verify(tmp_path / "paper").faults
    for name, path in files_of(tmp_path / "paper").items():
        content = path.read_bytes()
        for word in NAME.split("_"):
            assert word.encode() not in content, (name, word)
            assert word not in name


def test_what_was_set_is_said_without_the_names():
    pairs = [["Quark_1", "Topfen_1"], ["Quark_2", "Topfen_2"]]
    config = {"splits": {"accepted_duplicates": pairs, "patient_pattern": "^(Quark)_", "seed": 3}}
    settings = settings_of(config, [], {}, "0.1.0")
    assert settings["splits.accepted_duplicates"] == "2 accepted"
    assert (settings["splits.patient_pattern"], settings["splits.seed"]) == ("yes", "3")
    assert settings_of({}, [], {}, "0.1.0")["splits.patient_pattern"] == "no"
