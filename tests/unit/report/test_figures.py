"""Figures of cases: the right cases, visible contours, and complete files."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from samcarry.errors import InputError
from samcarry.prompting.prompts import extract_prompts
from samcarry.report import figures
from samcarry.report.figures import (
    STAGES,
    CaseView,
    best_median_worst,
    columns_for,
    draw_cases,
    draw_qualitative,
    draw_training,
    panel_size,
    rank_cases,
    spread_over_ranks,
)

CLASSES = ["Radius", "Ulna"]


def view(case="a", present=True):
    masks = np.zeros((2, 30, 20), dtype=bool)
    if present:
        masks[0, 5:15, 5:12] = True
    stages = dict.fromkeys(STAGES, masks)
    return CaseView(case, np.full((30, 20), 128, np.uint8), stages, extract_prompts(masks))


def colourful(path):
    """How many pixels of a picture are not grey."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((np.ptp(pixels, axis=2) > 60).sum())


def size(path):
    with Image.open(path) as picture:
        return picture.size


def titles(monkeypatch):
    """A list that fills with the titles that are drawn."""
    drawn, show = [], figures._show
    monkeypatch.setattr(figures, "_show", lambda *given: (drawn.append(given[2]), show(*given)))
    return drawn


@pytest.mark.parametrize(
    ("count", "expected"),
    [(2, ["a", "e"]), (3, ["a", "c", "e"]), (5, list("abcde")), (9, list("abcde")), (1, ["a"])],
)
def test_cases_are_spread_over_the_ranking_with_its_ends(count, expected):
    assert spread_over_ranks(list("abcde"), count) == expected


def test_an_empty_ranking_has_no_cases():
    assert spread_over_ranks([], 3) == []


def test_contours_and_prompts_are_visible_in_colour(tmp_path):
    draw_cases(tmp_path / "with.png", [view()], CLASSES, "ours_r", seed=0)
    draw_cases(tmp_path / "without.png", [view(present=False)], CLASSES, "ours_r", seed=0)
    assert colourful(tmp_path / "with.png") > colourful(tmp_path / "without.png") + 500


def test_each_case_is_a_row(tmp_path):
    draw_cases(tmp_path / "one.png", [view()], CLASSES, "ours_r", seed=0)
    draw_cases(tmp_path / "two.png", [view(), view("b")], CLASSES, "ours_r", seed=0)
    assert size(tmp_path / "two.png")[1] > 1.6 * size(tmp_path / "one.png")[1] - 100
    assert size(tmp_path / "two.png")[0] == size(tmp_path / "one.png")[0]


def test_every_stage_has_its_title_and_the_case_its_name(tmp_path, monkeypatch):
    drawn = titles(monkeypatch)
    draw_cases(tmp_path / "a.png", [view("case 7")], CLASSES, "ours_r", seed=0)
    assert [title.split("\n")[0] for title in drawn] == ["case 7", *STAGES.values()]


def test_missing_stages_have_no_column(tmp_path, monkeypatch):
    drawn = titles(monkeypatch)
    whole = view()
    masks = {stage: whole.masks[stage] for stage in ("reference", "unet", "ours_p")}
    some = CaseView("a", whole.image, masks, whole.prompts)
    draw_cases(tmp_path / "a.png", [some], CLASSES, "ours_p", seed=0)
    assert [title.split("\n")[0] for title in drawn] == ["a", "reference", "P (unet)", "ours_p"]


def test_dice_is_above_every_stage_except_the_reference(tmp_path, monkeypatch):
    drawn = titles(monkeypatch)
    draw_cases(tmp_path / "a.png", [view()], CLASSES, "ours_r", seed=0)
    assert [title.split("\n")[1:] for title in drawn] == [[], []] + [["100.0"]] * (len(STAGES) - 1)


def test_a_case_without_any_class_has_no_dice(tmp_path, monkeypatch):
    drawn = titles(monkeypatch)
    draw_cases(tmp_path / "a.png", [view(present=False)], CLASSES, "ours_r", seed=0)
    assert all("\n" not in title for title in drawn)


def test_no_case_at_all_still_makes_a_picture(tmp_path):
    draw_cases(tmp_path / "a.png", [], CLASSES, "ours_r", seed=0)
    assert size(tmp_path / "a.png")[0] > 100


def test_an_error_leaves_no_incomplete_picture(tmp_path):
    whole = view()
    broken = CaseView("a", whole.image, {"unet": whole.masks["unet"]}, whole.prompts)  # no reference
    with pytest.raises(KeyError):
        draw_cases(tmp_path / "a.png", [broken], CLASSES, "ours_r", seed=0)
    assert list(tmp_path.iterdir()) == []


def test_curves_of_each_network_have_a_panel(tmp_path):
    curve = pd.DataFrame({"iteration": [1, 2, 3], "loss": [1.0, 0.5, 0.2]})
    draw_training(tmp_path / "one.png", {"0/f_theta": curve})
    draw_training(tmp_path / "two.png", {"0/f_theta": curve, "1/f_theta": curve, "0/f_phi": curve})
    assert size(tmp_path / "two.png")[0] == pytest.approx(2 * size(tmp_path / "one.png")[0], abs=2)


def test_curves_are_drawn_in_colour(tmp_path):
    curve = pd.DataFrame({"iteration": [1, 2, 3], "loss": [1.0, 0.5, 0.2]})
    draw_training(tmp_path / "a.png", {"0/f_theta": curve})
    assert colourful(tmp_path / "a.png") > 100


def rows(**by_case):
    columns = ["method", "case", "seed", "dice"]
    return pd.DataFrame(
        [
            ("ours_r", case, seed, value)
            for case, values in by_case.items()
            for seed, value in enumerate(values)
        ],
        columns=columns,
    )


def test_cases_are_ranked_by_the_mean_over_seeds_and_undefined_ones_left_out():
    table = rows(a=[0.9, 0.1], b=[0.6, 0.6], c=[0.2, 0.2], d=[np.nan, np.nan])
    assert rank_cases(table, "ours_r") == ["b", "a", "c"]


def test_ranking_by_a_method_without_rows_names_it():
    with pytest.raises(InputError, match=r"'mean_teacher'.*add it to methods"):
        rank_cases(rows(a=[0.5]), "mean_teacher")


@pytest.mark.parametrize(("ranking", "median"), [("abc", "b"), ("abcd", "b"), ("a", "a")])
def test_best_median_and_worst_are_both_ends_and_the_middle(ranking, median):
    assert best_median_worst(list(ranking)) == {"best": ranking[0], "median": median, "worst": ranking[-1]}


def test_an_empty_ranking_is_an_input_error():
    with pytest.raises(InputError, match="no case has a Dice"):
        best_median_worst([])


def test_a_qualitative_picture_has_a_column_a_method_with_its_dice_below(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(
        figures.Figure, "savefig", lambda figure, path, **_: (saved.append(figure), path.touch())
    )
    titles = {"unet": "U-Net", "ours_r": "ours"}
    draw_qualitative(tmp_path / "a.png", view(), CLASSES, titles, "best")
    assert [axis.get_xlabel() for axis in saved[0].axes] == ["reference", "U-Net\n100.0", "ours\n100.0"]
    assert [text.get_text() for text in saved[0].legends[0].get_texts()] == CLASSES


def test_a_qualitative_picture_is_fit_for_print(tmp_path):
    draw_qualitative(tmp_path / "a.png", view(), CLASSES, {"unet": "U-Net", "ours_r": "ours"}, "best")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=1)
    assert colourful(tmp_path / "a.png") > 300


@pytest.mark.parametrize("aspect", [0.5, 0.67, 1, 2, 3])
def test_wide_images_are_drawn_as_large_as_tall_ones(aspect):
    width, height = panel_size(aspect, 5)
    assert width / height == pytest.approx(aspect)
    assert 6 < width * height < 9
    assert panel_size(aspect, 32)[0] >= width


@pytest.mark.parametrize(("aspect", "columns"), [(0.67, 7), (1, 7), (2, 4)])
def test_panels_stand_in_lines_of_about_the_same_length(aspect, columns):
    assert columns_for(7, panel_size(aspect, 32 if aspect == 2 else 5)[0]) == columns


def wide_view(stages, shape=None, size=(20, 40)):
    masks = np.zeros((2, *size), dtype=bool)
    masks[0, 5:15, 5:12] = True
    return CaseView(
        "a", np.full(size, 128, np.uint8), dict.fromkeys(stages, masks), extract_prompts(masks), shape
    )


def axes_of(monkeypatch):
    """A list that fills with the axes on which images are drawn."""
    drawn, show = [], figures._show
    monkeypatch.setattr(figures, "_show", lambda axis, *given: (drawn.append(axis), show(axis, *given)))
    return drawn


@pytest.mark.parametrize("shape", [(1000, 2000), (600, 400)])
def test_pictures_have_the_aspect_of_the_users_image(tmp_path, monkeypatch, shape):
    drawn = axes_of(monkeypatch)
    draw_cases(tmp_path / "a.png", [wide_view(STAGES, shape, (30, 30))], CLASSES, "ours_r", seed=0)
    draw_qualitative(
        tmp_path / "b.png", wide_view(["reference", "x"], shape, (30, 30)), CLASSES, {"x": "x"}, "best"
    )
    assert len(drawn) == 1 + len(STAGES) + 2
    for axis in drawn:
        box = axis.get_window_extent()
        assert box.width / box.height == pytest.approx(shape[1] / shape[0], rel=0.02)


def test_a_panoramic_picture_is_not_a_thumb_wide(tmp_path, monkeypatch):
    drawn = axes_of(monkeypatch)
    draw_cases(tmp_path / "a.png", [wide_view(STAGES)] * 2, [f"{n}" for n in range(32)][:2], "ours_r", seed=0)
    assert min(axis.get_window_extent().width for axis in drawn) > 380  # pixels
    places = {round(axis.get_window_extent().y0) for axis in drawn}
    assert len(places) == 4  # two lines for each case
