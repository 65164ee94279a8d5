"""The small SAM in resources/: the file that the configs name, and one that draws objects."""

import numpy as np
import pytest
import yaml

from samcarry.sam.checkpoints import load_sam
from samcarry.sam.small.scores import score_boxes, summary
from samcarry.sam.small.validation import scene_questions
from support.paths import ROOT


@pytest.fixture(scope="module")
def found():
    """The scores of the shipped weights on six held-out drawn scenes with X-ray physics."""
    entry = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["sam"]["models"]["small"]
    sam = load_sam(entry["model"], ROOT / entry["file"], entry["sha256"])
    return summary(score_boxes(sam, [q for q in scene_questions(6) if q.source == "xray_scenes"]))


def test_the_file_is_small():
    assert (ROOT / "resources/small_sam.safetensors").stat().st_size < 10_000_000


def test_the_weights_of_the_config_draw_objects_far_better_than_their_boxes(found):
    assert found["dice"] > found["bare"] + 0.05
    assert np.isfinite(found["iou_error"])


def test_they_know_whether_the_object_is_there(found):
    assert found["presence"] > 0.7
