"""The page loads nothing, escapes names from the user, and states findings and limits."""

import re
from dataclasses import replace

import pandas as pd

from samcarry.report.page import limitations, plain_findings
from support.report_run import STUDY


def test_nothing_is_loaded_from_elsewhere(whole):
    text, page = whole
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            if attributes.get(name):
                assert attributes[name].startswith(("data:", "#")), (tag, attributes[name][:80])
    assert all(address.startswith("data:") for address in re.findall(r"url\(['\"]?([^)]{0,20})", text))
    assert not re.search(r"@import|https?://|<link|<iframe", text)


def test_names_from_the_user_are_text_and_never_markup(whole):
    text, page = whole
    assert "<b>Ulna" not in text
    assert "u<script>" not in text
    assert "<i>tags" not in text
    assert "<b>Ulna</b>" in page.text
    assert 'Os "x" & y' in page.text
    assert len(page.all("script")) == 1


def test_tables_and_pictures_are_accessible_to_screen_readers(whole):
    _, page = whole
    assert all(one.get("scope") in ("col", "row") for one in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(one.get("alt") for one in page.all("img"))
    assert all(one.get("aria-label") for one in page.all("svg"))
    assert page.all("html", lang="en")
    assert page.all("meta", name="viewport")
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1


def test_links_within_the_page_have_targets(whole):
    _, page = whole
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert {one["href"][1:] for one in page.all("a")} <= ids


def findings(low, high, equal=0, ranks=(2, 1)):
    table = pd.DataFrame({"method": ["unet", "ours_r"], "cases": 9, "mean": [70.0, 74.0], "rank": ranks})
    difference = {"method": "ours_r", "against": "unet", "difference": 4.0, "low": low, "high": high}
    differences = pd.DataFrame([{**difference, "primary": 1, "equal": equal}])
    return " ".join(plain_findings(table, differences, "test"))


def test_findings_say_when_chance_could_explain_a_difference():
    assert "chance" in findings(-1.0, 9.0)
    assert "chance" not in findings(1.0, 7.0)
    assert "too few patients" in findings(float("nan"), float("nan"))
    assert "4.0 points above that of U-Net" in findings(1.0, 7.0)


def test_findings_say_when_two_methods_are_equal_within_the_margin():
    assert "Within the margin that was set in advance, the two are equal." in findings(-1.0, 1.5, equal=1)


def test_a_method_without_a_rank_is_not_called_the_best():
    assert "ours w/ SAM (R) has the highest mean Dice" in findings(1.0, 7.0)
    assert "U-Net (f_θ) has the highest mean Dice" in findings(1.0, 7.0, ranks=(1, float("nan")))


def test_limitations_name_what_this_run_lacks():
    always = limitations(replace(STUDY, sam_is_tiny=False, images_are_drawn=False), "test", 50, 3)
    assert any("one object per class" in limit for limit in always)
    text = " ".join(limitations(STUDY, "val", 5, 1))
    for words in ("phantoms", "tiny SAM", "no test split", "Only 5 cases", "trained only once"):
        assert words in text
        assert words not in " ".join(always)


def test_p_and_r_are_explained_at_first_use(whole):
    text = whole[1].text
    assert text.index("called P") < text.index("R: U-Net + SAM")
    assert text.index("called R") < text.index("ours w/ SAM (R)")
