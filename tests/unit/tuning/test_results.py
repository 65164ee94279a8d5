"""Results of tuning: the table of trials, the gain by parameter, and the best settings."""

import io

import pandas as pd

from samcarry.prompting.cleaning import structuring_element
from samcarry.tuning.results import comments_on, gains_by_parameter, table_of, write_results
from samcarry.tuning.study import Tried
from samcarry.tuning.tuned_settings import read_tuned

WALK = {"background_erosion": 4, "mask_erosion": 2, "sigma": 10}
NONE = {"operation": "none", "element": None, "radius": 0}
DISK_2 = {"operation": "dilation", "element": "disk", "radius": 2}
STAR_1 = {"operation": "erosion", "element": "star", "radius": 1}
TRIED = [
    Tried(0, 0.02, {"first": "box", "second": "pos+neg", **DISK_2}, 9),
    Tried(1, 0.01, {"first": "box", "second": None, **NONE}, 9),
    Tried(2, -0.03, {"first": "pos", "second": "mask", **STAR_1}, 9),
    Tried(3, 0.01, {"first": "box", "second": None, **NONE}, 9),
    Tried(4, 0.04, {"first": "box", "second": "box", **DISK_2}, 9),
]


def test_the_table_has_a_row_per_trial_in_points_of_dice():
    table = table_of(TRIED)
    assert list(table.columns) == [
        "number",
        "value",
        "cases",
        "first",
        "second",
        "operation",
        "element",
        "radius",
    ]
    assert table["value"].tolist() == [2, 1, -3, 1, 4]
    back = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    assert back["second"].tolist() == ["pos+neg", "none", "mask", "none", "box"]
    assert back["operation"].tolist() == ["dilation", "none", "erosion", "none", "dilation"]
    assert back["element"].isna().tolist() == [False, True, False, True, False]


def test_stopped_trials_are_counted_and_marked_in_the_table():
    tried = [*TRIED, Tried(5, 0.01, {"first": "pos", "second": None, **NONE}, 4)]
    assert table_of(tried)["cases"].tolist() == [9, 9, 9, 9, 9, 4]
    assert "stopped as clearly worse: 1;" in "\n".join(comments_on(tried, (0.7, 55)))
    assert "stopped" not in "\n".join(comments_on(TRIED, (0.7, 55)))


def answer(question):
    answers = gains_by_parameter(table_of(TRIED))
    return answers[answers["question"] == question].drop(columns="question").to_numpy().tolist()


def test_the_summary_gives_the_best_and_the_median_of_different_settings():
    assert answer("first pass") == [["box", 3, 4, 2], ["pos", 1, -3, -3]]
    assert answer("self-refinement") == [["with", 3, 4, 2], ["without", 1, 1, 1]]
    assert [row[0] for row in answer("second pass")] == ["box", "pos+neg", "none", "mask"]
    assert answer("operation")[0] == ["dilation", 2, 4, 3]


def test_element_and_radius_are_judged_where_there_is_an_operation():
    assert answer("element") == [["disk", 2, 4, 3], ["star", 1, -3, -3]]
    assert answer("radius") == [["dilation 2", 2, 4, 3], ["erosion 1", 1, -3, -3]]
    widths = {"dilation": structuring_element("disk", 2), "erosion": structuring_element("star", 1)}
    assert [row[0] for row in answer("width in pixels")] == [
        f"{operation} {element.shape[0]}" for operation, element in widths.items()
    ]


def test_each_part_of_asking_on_crops_is_a_parameter_and_the_whole_image_is_a_zoom_of_none():
    asked = {"first": "box", "second": None, "prior": "P", "fuse": 0.5, "multimask": True, "prompts": 3}
    tried = [
        Tried(0, 0.1, {**asked, "zoom": None}, 9),
        Tried(1, 0.2, {**asked, "zoom": 3, "multimask": False}, 9),
    ]
    table = table_of(tried)
    assert table["zoom"].tolist() == ["none", 3]
    gains = gains_by_parameter(table).set_index("question")["answer"]
    assert gains["zoom"].tolist() == ["3.0", "none"]
    assert gains["masks"].tolist() == ["one", "best of three"]
    assert gains[["first mask prompt", "weight of SAM", "boxes"]].tolist() == ["P", "0.5", "3"]
    assert table_of(tried[1:])["zoom"].tolist() == [3]


def test_medsam_and_the_random_walk_have_their_own_parameters():
    medsam = gains_by_parameter(table_of([Tried(0, 0.1, NONE, 9), Tried(1, 0.2, STAR_1, 9)]))
    assert set(medsam["question"]) == {"operation", "element", "radius", "width in pixels"}
    walk = gains_by_parameter(table_of([Tried(0, 0.1, WALK, 9), Tried(1, 0.2, {**WALK, "sigma": 9.8}, 9)]))
    assert walk["question"].tolist() == ["background erosion", "mask erosion", "sigma (rounded)"]
    assert walk["answer"].tolist() == ["4", "2", "10"]
    assert walk["best"].tolist() == [20, 20, 20]


def test_comments_name_the_gain_and_the_best_trial():
    text = "\n".join(comments_on(TRIED, (0.7, 55)))
    assert "5 trials (4 different settings)" in text
    assert "trial 4" in text
    assert "over 55 masks: 70.00" in text
    assert "gain: +4.00" in text
    assert "own settings: +2.00" in text
    assert "the config's own." in "\n".join(comments_on(TRIED[:4], (0.7, 55)))


def test_the_best_settings_are_written_as_blocks_of_the_config(tmp_path):
    paths = [tmp_path / name for name in ("sam.yaml", "trials.csv", "answers.csv")]
    write_results(*paths, "sam", TRIED, (0.7, 55))
    cleaning = {"operation": "dilation", "element": "disk", "radius": 2}
    assert read_tuned(paths[0]) == {"cleaning": cleaning, "sam": {"first": "box", "second": "box"}}
    assert len(pd.read_csv(paths[1])) == 5
    assert list(pd.read_csv(paths[2]).columns) == ["question", "answer", "settings", "best", "median"]
