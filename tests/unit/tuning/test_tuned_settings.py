"""Tuned settings are written as blocks of the config, read back, and merged over the configured ones."""

import pytest
import yaml

from samcarry.errors import InputError
from samcarry.prompting.cleaning import CleaningSettings
from samcarry.tuning.tuned_settings import blocks_of, read_tuned, tuned_over, write_tuned

WALK = {"background_erosion": 4, "mask_erosion": 2, "sigma": 10}
NONE = {"operation": "none", "element": None, "radius": 0}
STAR_1 = {"operation": "erosion", "element": "star", "radius": 1}


def test_no_second_pass_and_no_operation_are_written_as_in_a_config(tmp_path):
    write_tuned(tmp_path / "t.yaml", blocks_of("sam", {"first": "box", "second": None, **NONE}), ["a", "b"])
    assert (tmp_path / "t.yaml").read_text().startswith("# a\n# b\ncleaning:")
    blocks = read_tuned(tmp_path / "t.yaml")
    assert blocks["sam"] == {"first": "box", "second": None}
    assert CleaningSettings(**blocks["cleaning"]) == CleaningSettings("none", "square", 0)


def test_medsams_cleaning_can_be_pasted_and_is_read_as_cleaning(tmp_path):
    write_tuned(tmp_path / "t.yaml", blocks_of("medsam", STAR_1), [])
    assert yaml.safe_load((tmp_path / "t.yaml").read_text()) == {"medsam": {"cleaning": STAR_1}}
    assert read_tuned(tmp_path / "t.yaml") == {"cleaning": STAR_1}


def test_the_random_walks_settings_are_read_back(tmp_path):
    write_tuned(tmp_path / "t.yaml", blocks_of("random_walk", WALK), [])
    assert read_tuned(tmp_path / "t.yaml") == {"random_walk": WALK}


@pytest.mark.parametrize("refiner", ["zoom", "sam"])
def test_how_sam_is_asked_on_crops_is_one_block_and_no_cleaning(tmp_path, refiner):
    settings = {"first": "box", "second": None, "zoom": None, "prior": "P", "fuse": 0.5, "multimask": False}
    write_tuned(tmp_path / "t.yaml", blocks_of(refiner, settings), [])
    assert read_tuned(tmp_path / "t.yaml") == {refiner: settings}
    configured = {**settings, "zoom": 3, "prompts": 2}
    assert tuned_over(configured, tmp_path / "t.yaml", refiner) == {**settings, "prompts": 2}


@pytest.mark.parametrize("nothing", [[], "", ()])
def test_without_tuning_nothing_is_replaced(nothing):
    assert read_tuned(nothing) == {}


@pytest.mark.parametrize("text", [None, "", "just words", "cleaning: [1, 2", "cleaning: 3"])
def test_damaged_settings_are_an_error_of_one_line(tmp_path, text):
    if text is not None:
        (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(InputError, match=r"t\.yaml") as caught:
        read_tuned(tmp_path / "t.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("nothing", [[], "", ()])
def test_without_tuning_the_configured_settings_are_used(nothing):
    assert tuned_over({"radius": 2}, nothing, "cleaning") == {"radius": 2}


def test_tuned_settings_replace_those_of_their_block_only(tmp_path):
    write_tuned(tmp_path / "t.yaml", {"cleaning": {"radius": 5}, "sam": {"first": "pos"}}, [])
    configured = {"operation": "dilation", "radius": 2}
    assert tuned_over(configured, tmp_path / "t.yaml", "cleaning") == {"operation": "dilation", "radius": 5}
    assert tuned_over({"radius": 2}, tmp_path / "t.yaml", "random_walk") == {"radius": 2}
    assert configured["radius"] == 2
