"""The content of the report comes from the files of a run; missing files leave their section out."""

import pandas as pd
import pytest

from samcarry.evaluation.label_curve import COLUMNS
from support.report_run import UNLABELLED


def test_the_gallery_shows_all_chosen_cases_with_all_their_stages(whole):
    _, page = whole
    cases = page.all("article", **{"class": "case"})
    assert len(cases) == 6 + 2
    assert [case["data-name"] for case in cases[-2:]] == UNLABELLED
    best = cases[0]["data-name"]
    titles = [one["aria-label"] for one in page.all("svg") if f" of {best}" in one["aria-label"]]
    stages = [title.split(" of ")[0] for title in titles]
    assert stages[:2] == ["reference", "P: U-Net (f_θ)"]
    assert stages[2:] == ["cleaned P, prompts", "R: U-Net + SAM", "ours w/ SAM (R)"]


def test_the_page_shows_results_settings_costs_and_versions(whole):
    _, page = whole
    for words in (
        "ours w/ SAM (R)",
        "n/a: no labels",
        "# found <here>",
        "1 min 15 s",
        "2.14",
        "abc123",
        "dice.csv",
    ):
        assert words in page.text


@pytest.mark.parametrize(
    ("without", "gone"),
    [
        (("ablation",), "Effect of the number of labels"),
        (("ranks",), "Stability of the ranks"),
        (("tuned", "answers", "tuning"), "tuned on the validation split"),
        (("unlabelled_masks",), "hidden from all methods"),
    ],
)
def test_the_page_leaves_out_what_a_run_lacks(page_of, whole, without, gone):
    assert gone in whole[1].text
    _, page = page_of(*without)
    assert gone not in page.text
    assert len(page.all("article")) == 8


def test_a_run_with_the_bare_minimum_still_has_a_page(files, page_of):
    without = [name for name in files if name.startswith("unlabelled_")]
    without += [
        "ranks",
        "ablation",
        "qualitative",
        "training",
        "tuned",
        "answers",
        "tuning",
        "cleaned",
        "prompts",
    ]
    _, page = page_of(*without)
    assert len(page.all("article")) == 6
    assert not page.all("section", id="figures")
    assert "Nothing was tuned" in page.text


def test_figures_are_in_the_order_of_the_page(whole):
    _, page = whole
    titles = [one["alt"].split(". ")[0] for one in page.all("img")]
    assert titles[:2] == ["Stability of the ranks", "Effect of the number of labels"]
    assert [title.split()[1] for title in titles[2:5]] == ["best", "median", "worst"]
    assert titles[5:] == ["Training", "Tuning of sam"]


def test_the_page_explains_intervals_ranks_the_primary_comparison_and_the_margin(whole):
    text = whole[1].text
    assert "the 95 % interval of the mean, by patient (Student's t, 8 patients)" in text
    assert "Ranks are by mean Dice" in text
    assert "ours_r (ours w/ SAM (R)) against unet (U-Net (f_θ)) is the primary comparison" in text
    assert "within ±2 points" in text


def test_the_page_shows_scores_by_group(whole):
    text = whole[1].text
    assert "Dice of each group" in text
    assert "<north>" in text


def test_the_page_shows_detection_and_agreement_of_the_first_and_the_ranked_network(whole):
    text = whole[1].text
    assert "Is the class there?" in text
    assert "Limits of agreement, px" in text
    assert "HD95 is the 95 % Hausdorff distance in pixels at network size" in text


def test_more_labels_have_a_section_where_three_sizes_are_compared(files, tmp_path, page_of, monkeypatch):
    assert not page_of()[1].all("section", id="more-labels")
    rows = [
        ("demo", "unet", name, 8, 3, 7, "seeds", 8, 8, more, 80.0, more / 10, 0.1, high)
        for name in ("", "ulna")
        for more, high in ((5, 0.5), (20, 4.0))
    ]
    curve = tmp_path / "label_curve.csv"
    pd.DataFrame(rows, columns=COLUMNS).to_csv(curve, index=False)
    monkeypatch.setitem(files, "label_curve", [str(curve)])
    _, page = page_of()
    assert page.all("section", id="more-labels")
    for words in (
        "U-Net (f_θ) now reaches 80.0 % with 8 labelled cases.",
        "5 more labels: stop, less than 2 points are expected.",
        "20 more labels: +2.0 (0.1 to 4.0).",
        "differ in their seeds only",
        "all classes",
    ):
        assert words in page.text
