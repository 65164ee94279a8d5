"""Plots: all methods and n are shown, lines connect the means, and a star marks the best trial."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from samcarry.report import charts
from samcarry.report.charts import draw_ablation, draw_ranks, draw_tuning, parameters_of

NAMES = {"unet": "U-Net", "ours_r": "ours", "unet_full": "all labels"}


def dice_rows(*found):
    """Rows of dice.csv from (n, method, case, seed, dice)."""
    columns = ["n", "method", "case", "seed", "dice"]
    return pd.DataFrame(found, columns=columns)


@pytest.fixture
def drawn(monkeypatch):
    """A list that fills with the figures that are saved."""
    figures, save = [], charts._save
    monkeypatch.setattr(charts, "_save", lambda figure, path: (figures.append(figure), save(figure, path)))
    return figures


def curves(figure: Figure):
    """Heights of the lines through the means by label."""
    lines = figure.axes[0].get_lines()
    return {
        line.get_label(): list(line.get_ydata()) for line in lines if not line.get_label().startswith("_")
    }


def test_lines_connect_the_means_over_cases_after_averaging_over_seeds(tmp_path, drawn):
    rows = dice_rows(
        (1, "unet", "a", 0, 0.2),
        (1, "unet", "a", 1, 0.4),
        (1, "unet", "b", 0, 0.9),
        (5, "unet", "a", 0, 0.5),
    )
    draw_ablation([tmp_path / "a.png"], rows, ["unet"], NAMES)
    assert curves(drawn[0])["U-Net"] == pytest.approx([60, 50])


def test_a_method_without_some_n_is_drawn_where_it_is_known(tmp_path, drawn):
    rows = dice_rows((1, "unet", "a", 0, 0.2), (5, "unet", "a", 0, 0.5), (5, "ours_r", "a", 0, 0.7))
    draw_ablation([tmp_path / "a.png"], rows, ["unet", "ours_r", "mean_teacher"], NAMES)
    assert {label: len(line) for label, line in curves(drawn[0]).items()} == {"U-Net": 2, "ours": 1}


def test_full_supervision_is_one_level_line(tmp_path, drawn):
    rows = dice_rows((1, "unet", "a", 0, 0.2), (1, "unet_full", "a", 0, 0.8), (5, "unet", "a", 0, 0.3))
    draw_ablation([tmp_path / "a.png"], rows, ["unet", "unet_full"], NAMES)
    assert curves(drawn[0])["all labels"] == pytest.approx([80, 80])


def test_the_values_of_n_are_labels_in_order(tmp_path, drawn):
    rows = dice_rows(*[(n, "unet", "a", 0, 0.5) for n in (10, 1, 43)])
    draw_ablation([tmp_path / "a.png"], rows, ["unet"], NAMES)
    assert [label.get_text() for label in drawn[0].axes[0].get_xticklabels()] == ["1", "10", "43"]


def test_a_bar_shows_the_spread_over_draws_at_its_n(tmp_path, drawn):
    rows = dice_rows((1, "unet", "a", 0, 0.2), (5, "unet", "a", 0, 0.5))
    draws = pd.DataFrame({"method": ["unet"], "n": [5], "mean": [52.0], "draw_std": [4.0]})
    draw_ablation([tmp_path / "a.png"], rows, ["unet"], NAMES, draws)
    (bar,) = [line for line in drawn[0].axes[0].collections if line.get_gid() == "draws-unet"]
    assert bar.get_segments()[0][:, 1] == pytest.approx([48, 56])


def test_svg_and_png_are_written_and_the_same_each_time(tmp_path):
    rows = dice_rows((1, "unet", "a", 0, 0.2), (5, "unet", "a", 0, 0.5))
    for name in ("one", "two"):
        draw_ablation([tmp_path / f"{name}.svg", tmp_path / f"{name}.png"], rows, ["unet"], NAMES)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "<svg" in (tmp_path / "one.svg").read_text()
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.width > 1000


def trials(count=12):
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "number": range(count),
            "value": [*generator.normal(0, 1, count - 1), 9.0],
            "first": [["box", "pos"][index % 2] for index in range(count)],
            "second": [[None, "pos+neg", "mask"][index % 3] for index in range(count)],
            "radius": [index % 5 for index in range(count)],
        }
    )


def panels(figure):
    return {axis.get_title(): axis for axis in figure.axes if axis.get_title()}


def test_every_parameter_has_a_panel_and_two_categories_a_table_of_pairs(tmp_path, drawn):
    draw_tuning(tmp_path / "a.png", trials(), "SAM")
    assert list(panels(drawn[0])) == ["best so far", "first", "second", "radius", "best of each pair"]


def test_the_best_trial_is_starred_at_its_values(tmp_path, drawn):
    table = trials()
    draw_tuning(tmp_path / "a.png", table, "SAM")
    stars = [line for line in panels(drawn[0])["radius"].get_lines() if line.get_marker() == "*"]
    assert [(list(star.get_xdata()), list(star.get_ydata())) for star in stars] == [([11 % 5], [9.0])]


def test_no_second_pass_is_a_category_of_its_own(tmp_path, drawn):
    draw_tuning(tmp_path / "a.png", trials(), "SAM")
    labels = [label.get_text() for label in panels(drawn[0])["second"].get_xticklabels()]
    assert "none (4)" in labels
    assert labels[0] == "mask (4)"  # where the best trial is


def test_yes_or_no_is_a_category_and_not_a_number(tmp_path, drawn):
    draw_tuning(tmp_path / "a.png", trials().assign(multimask=[index % 3 == 0 for index in range(12)]), "SAM")
    labels = [label.get_text() for label in panels(drawn[0])["multimask"].get_xticklabels()]
    assert labels == ["False (8)", "True (4)"]


def test_pairs_show_their_best_gain(tmp_path, drawn):
    draw_tuning(tmp_path / "a.png", trials(), "SAM")
    assert "+9.0" in [text.get_text() for text in panels(drawn[0])["best of each pair"].texts]


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"number": [0], "value": [1.0], "sigma": [2.5], "mask_erosion": [3]}),
        pd.DataFrame({"number": [0], "value": [1.0], "element": ["disk"]}),
        pd.DataFrame({"number": [0, 1], "value": [1.0, float("nan")], "a": ["x", "y"], "b": [None, None]}),
    ],
    ids=["numbers", "one category", "a failed trial and a setting that is never used"],
)
def test_any_mix_of_few_trials_is_drawn(tmp_path, table):
    draw_tuning(tmp_path / "a.png", table, "few")
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_number_value_and_cases_are_not_parameters():
    assert parameters_of(pd.DataFrame(columns=["number", "value", "cases", "radius"])) == ["radius"]


RANKS = pd.DataFrame(
    {"method": ["unet", "ours_r"], "rank": [2, 1], "rank_1": [0.253, 0.747], "rank_2": [0.747, 0.253]}
)


def test_ranks_are_a_table_of_shares_with_the_best_method_first(tmp_path, drawn):
    draw_ranks(tmp_path / "a.png", RANKS, NAMES)
    (axis,) = drawn[0].axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["ours", "U-Net"]
    assert [text.get_text() for text in axis.texts] == ["75", "25", "25", "75"]


def test_too_few_patients_are_named_instead_of_shares(tmp_path, drawn):
    draw_ranks(tmp_path / "a.png", RANKS.assign(rank_1=np.nan, rank_2=np.nan), NAMES)
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["too few patients"]


def test_no_method_with_a_rank_is_a_picture_as_well(tmp_path):
    draw_ranks(tmp_path / "a.png", RANKS[:0], NAMES)
    assert (tmp_path / "a.png").stat().st_size > 1000
