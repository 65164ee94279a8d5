"""Search spaces, and the table, answers and settings that come out of a tuning."""

import io

import pandas as pd
import pytest
import yaml

from samcarry.errors import InputError
from samcarry.prompting.cleaning import CleaningSettings, structuring_element
from samcarry.tuning.results import answers_of, comments_on, table_of, write_results
from samcarry.tuning.search_spaces import cleaning_of, medsam_space, random_walk_space, sam_space
from samcarry.tuning.study import Tried
from samcarry.tuning.tuned_settings import blocks_of, read_tuned, write_tuned

CLEANING = CleaningSettings("dilation", "disk", 2)
WALK = {"background_erosion": 4, "mask_erosion": 2, "sigma": 10}
NONE = {"operation": "none", "element": None, "radius": 0}
DISK_2 = {"operation": "dilation", "element": "disk", "radius": 2}
STAR_1 = {"operation": "erosion", "element": "star", "radius": 1}
TRIED = [
    Tried(0, 0.02, {"first": "box", "second": "pos+neg", **DISK_2}),
    Tried(1, 0.01, {"first": "box", "second": None, **NONE}),
    Tried(2, -0.03, {"first": "pos", "second": "mask", **STAR_1}),
    Tried(3, 0.01, {"first": "box", "second": None, **NONE}),
    Tried(4, 0.04, {"first": "box", "second": "box", **DISK_2}),
]


# ---- search spaces --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "space",
    [
        sam_space(CLEANING, "box", "pos+neg", 8),
        sam_space(CleaningSettings("erosion", "star", 12), "box+pos", "box+pos+neg", 8),
        medsam_space(CLEANING, 1),
        random_walk_space(WALK, 16, 16, 20),
        random_walk_space({"background_erosion": 0, "mask_erosion": 30, "sigma": 0.5}, 16, 16, 20),
    ],
)
def test_the_configs_own_settings_are_in_the_space_however_far_they_lie(space):
    for name, distribution in space.distributions.items():
        assert distribution._contains(distribution.to_internal_repr(space.default[name]))


def test_the_spaces_are_those_of_the_paper():
    space = sam_space(CLEANING, "box", "pos+neg", 8).distributions
    assert space["first"].choices == ("box", "pos", "pos+neg")
    assert space["second"].choices == ("box", "pos", "pos+neg", "mask", None)
    assert space["element"].choices == ("square", "disk", "diamond", "star")
    assert (space["growth"].low, space["growth"].high) == (-8, 8)
    walk = random_walk_space(WALK, 16, 15, 20).distributions
    assert [(d.low, d.high) for d in walk.values()] == [(1, 16), (0, 15), (1, 20)]


@pytest.mark.parametrize("element", ["square", "disk", "diamond", "star"])
@pytest.mark.parametrize("growth", [-3, -2, 0, 2, 3])
def test_a_draw_means_its_operation_element_and_radius(element, growth):
    settings = medsam_space(CLEANING, 8).settings_of({"element": element, "growth": growth})
    cleaning = cleaning_of(settings)
    if growth == 0:
        assert settings == NONE
        assert cleaning.operation == "none"
    else:
        operation = "erosion" if growth < 0 else "dilation"
        assert cleaning == CleaningSettings(operation, element, abs(growth))


def test_settings_that_do_the_same_are_the_same():
    settings_of = medsam_space(CLEANING, 8).settings_of
    nothing = [{"element": "star", "growth": 0}, *({"element": "square", "growth": g} for g in (-1, 0, 1))]
    assert [settings_of(draw) for draw in nothing] == [NONE] * 4
    assert settings_of({"element": "disk", "growth": 1})["operation"] == "dilation"


@pytest.mark.parametrize("operation", ["none", "dilation", "erosion"])
def test_the_default_draw_means_the_configs_cleaning(operation):
    cleaning = CleaningSettings(operation, "disk", 3)
    space = sam_space(cleaning, "pos", None, 8)
    settings = space.settings_of(space.default)
    assert (settings["first"], settings["second"], settings["operation"]) == ("pos", None, operation)
    assert settings["radius"] == (0 if operation == "none" else 3)


# ---- what comes out -------------------------------------------------------------------------


def test_the_table_has_a_row_a_trial_in_points_of_dice():
    table = table_of(TRIED)
    assert list(table.columns) == ["number", "value", "first", "second", "operation", "element", "radius"]
    assert table["value"].tolist() == [2, 1, -3, 1, 4]
    back = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    assert back["second"].tolist() == ["pos+neg", "none", "mask", "none", "box"]
    assert back["operation"].tolist() == ["dilation", "none", "erosion", "none", "dilation"]
    assert back["element"].isna().tolist() == [False, True, False, True, False]


def answer(question):
    answers = answers_of(table_of(TRIED))
    return answers[answers["question"] == question].drop(columns="question").to_numpy().tolist()


def test_the_answers_give_the_best_and_the_median_of_different_settings():
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


def test_medsam_and_the_random_walk_are_asked_their_own_questions():
    medsam = answers_of(table_of([Tried(0, 0.1, NONE), Tried(1, 0.2, STAR_1)]))
    assert set(medsam["question"]) == {"operation", "element", "radius", "width in pixels"}
    walk = answers_of(table_of([Tried(0, 0.1, WALK), Tried(1, 0.2, {**WALK, "sigma": 9.8})]))
    assert walk["question"].tolist() == ["background erosion", "mask erosion", "sigma (rounded)"]
    assert walk["answer"].tolist() == ["4", "2", "10"]
    assert walk["best"].tolist() == [20, 20, 20]


def test_comments_say_what_was_won_and_by_whom():
    text = "\n".join(comments_on(TRIED, (0.7, 55)))
    assert "5 trials (4 different settings)" in text
    assert "trial 4" in text
    assert "over 55 masks: 70.00" in text
    assert "gain: +4.00" in text
    assert "own settings: +2.00" in text
    assert "the config's own." in "\n".join(comments_on(TRIED[:4], (0.7, 55)))


def test_the_best_settings_come_back_as_blocks_of_the_config(tmp_path):
    paths = [tmp_path / name for name in ("sam.yaml", "trials.csv", "answers.csv")]
    write_results(*paths, "sam", TRIED, (0.7, 55))
    cleaning = {"operation": "dilation", "element": "disk", "radius": 2}
    assert read_tuned(paths[0]) == {"cleaning": cleaning, "sam": {"first": "box", "second": "box"}}
    assert len(pd.read_csv(paths[1])) == 5
    assert list(pd.read_csv(paths[2]).columns) == ["question", "answer", "settings", "best", "median"]


def test_no_second_pass_and_no_operation_are_told_as_the_config_does(tmp_path):
    write_tuned(tmp_path / "t.yaml", blocks_of("sam", TRIED[1].settings), ["a", "b"])
    assert (tmp_path / "t.yaml").read_text().startswith("# a\n# b\ncleaning:")
    blocks = read_tuned(tmp_path / "t.yaml")
    assert blocks["sam"] == {"first": "box", "second": None}
    assert CleaningSettings(**blocks["cleaning"]) == CleaningSettings("none", "square", 0)


def test_medsams_cleaning_can_be_pasted_and_is_read_as_cleaning(tmp_path):
    write_tuned(tmp_path / "t.yaml", blocks_of("medsam", STAR_1), [])
    assert yaml.safe_load((tmp_path / "t.yaml").read_text()) == {"medsam": {"cleaning": STAR_1}}
    assert read_tuned(tmp_path / "t.yaml") == {"cleaning": STAR_1}


def test_the_random_walks_settings_come_back(tmp_path):
    write_tuned(tmp_path / "t.yaml", blocks_of("random_walk", WALK), [])
    assert read_tuned(tmp_path / "t.yaml") == {"random_walk": WALK}


@pytest.mark.parametrize("nothing", [[], "", ()])
def test_without_tuning_nothing_is_replaced(nothing):
    assert read_tuned(nothing) == {}


@pytest.mark.parametrize("text", [None, "", "just words", "cleaning: [1, 2", "cleaning: 3"])
def test_damaged_settings_are_told_in_one_line(tmp_path, text):
    if text is not None:
        (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(InputError, match=r"t\.yaml") as caught:
        read_tuned(tmp_path / "t.yaml")
    assert "\n" not in str(caught.value)
