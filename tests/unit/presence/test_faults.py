"""Tables note where the presence step could not be fitted."""

import json

import pytest

from samcarry.errors import DamagedError
from samcarry.presence.faults import add_notes, not_fitted

FEW = "2 masks of absent classes were drawn, and a fit needs 10"


@pytest.fixture
def presence(tmp_path):
    """A function that writes a presence.json with this fault."""

    def write(fault):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps({"fault": fault}))
        return path

    return write


def test_methods_whose_presence_was_fitted_have_no_note(presence):
    assert not_fitted([("unet_present", presence("")), ("unet_present", presence(""))]) == {}
    assert not_fitted([]) == {}


def test_the_note_says_why_and_for_how_many_seeds(presence):
    one = not_fitted([("unet_present", presence(FEW))])
    assert one == {"unet_present": f"presence could not be fitted, so no class is judged absent: {FEW}"}
    three = [("unet_present", presence(fault)) for fault in ("", FEW, "")]
    assert not_fitted(three)["unet_present"].startswith("presence could not be fitted (1 of 3 seeds), so")


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "presence.json"
    path.write_text("{}")
    with pytest.raises(DamagedError, match=r"presence\.json"):
        not_fitted([("unet_present", path)])


def test_a_method_keeps_both_of_its_notes():
    assert add_notes({"a": "One.", "b": "Two."}, {"b": "three", "c": "four"}) == {
        "a": "One.",
        "b": "Two.; three",
        "c": "four",
    }
