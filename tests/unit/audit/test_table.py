"""All findings in one list, and the page that shows them."""

import re
from base64 import b64encode

import numpy as np

from samcarry.audit.agreement import Judged
from samcarry.audit.explanations import Proposal
from samcarry.audit.findings import Finding, audit
from samcarry.audit.page import About, describe, render_audit, show
from samcarry.audit.readers import find_differences
from samcarry.audit.table import COLUMNS, collect, write_findings
from samcarry.audit.twins import Origin, Twins
from samcarry.report.gallery import webp
from samcarry.storage.tables import read_table

HOSTILE = "<script>alert(1)</script>"
CLASSES = ("left", "<b>inner left</b>", "middle", "inner right", "right")


def collected(cases, twins=(), differences=(), share=0.5):
    origins = {case.case: Origin("train", f"p-{case.case}") for case in cases}
    findings = audit(cases)
    return collect(findings, twins, differences, judged=cases, origins=origins, classes=CLASSES, share=share)


def spoilt(cases):
    masks = cases[3].given.copy()
    masks[[1, 2]] = masks[[2, 1]]
    return [*cases[:3], Judged(HOSTILE, masks, cases[3].seen, 2), *cases[4:]]


def page_of(rows, cases, **about):
    images = {case.case: np.zeros(case.given.shape[1:], np.uint8) for case in cases}
    known = {"dataset": "set", "judged": {"validation": 30}, "not_judged": 0, "share": 0.5}
    known |= {"networks": (2, 2), "readers": 0} | about
    shown = show(rows[:5], cases, CLASSES)
    return render_audit(shown, rows, images, {HOSTILE: (100, 300)}, CLASSES, About(**known))


def test_the_worst_comes_first_and_stands_out(cases, tmp_path):
    rows = collected(spoilt(cases))
    assert rows[0].case == HOSTILE
    assert rows[0].stands_out
    assert [row.by_chance for row in rows] == sorted(row.by_chance for row in rows)
    write_findings(tmp_path / "findings.csv", rows)
    first, *_ = read_table(tmp_path / "findings.csv", COLUMNS)
    assert (first["rank"], first["kind"], first["stands_out"], first["networks"]) == (
        "1",
        "swapped",
        "1",
        "2",
    )
    assert first["classes"] == "<b>inner left</b>;middle"
    assert first["text"] == "The masks of <b>inner left</b> and middle look swapped."


def test_the_page_shows_both_sides_and_treats_names_as_text(cases):
    cases = spoilt(cases)
    page = page_of(collected(cases), cases)
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "1 finding stands out" in page or "findings stand out" in page
    assert "Your label" in page
    assert "Networks that did not learn from it" in page
    assert "aspect-ratio: 300/100" in page


def test_pictures_are_in_the_order_of_the_findings(cases):
    """In the order of a set of names, each run of Python would give another page."""
    cases = spoilt(cases)
    rows = collected(cases)
    images = {case.case: np.full(case.given.shape[1:], 5 * n, np.uint8) for n, case in enumerate(cases)}
    shown = show(rows, cases, CLASSES)
    about = About(dataset="set", judged={}, not_judged=0, share=0.5, networks=(2, 2), readers=0)
    page = render_audit(shown, rows, images, {}, CLASSES, about)
    order = list(dict.fromkeys(tile.case for one in shown for tile in one.tiles))
    assert len(order) > 3
    expected = [b64encode(webp(images[case])).decode() for case in order]
    assert re.findall(r"url\(data:image/webp;base64,([^)]+)\)", page) == expected


def test_the_page_says_if_nothing_stands_out(cases):
    rows = collected(cases, share=0.05)
    assert not any(row.stands_out for row in rows)
    page = page_of(rows, cases)
    assert "No label stands out." in page
    assert "expected by chance in a data set of this size" in page


def test_the_page_of_nothing_says_so():
    page = page_of([], [], judged={}, networks=(0, 0), not_judged=1)
    assert "No label stands out." in page
    assert "1 labelled case was not judged" in page


def test_twins_say_how_well_their_labels_agree(cases):
    pair = Twins(("case 0", "case 1"), 0.95, mirrored=False, by_chance=1e-4)
    first = collected(cases, [pair])[0]
    assert (first.kind, first.case, first.other, first.networks) == ("same image", "case 0", "case 1", 0)
    assert "Their labels agree with a mean Dice of" in first.text
    assert "case 1" in page_of([first], cases)


def test_equal_labels_of_the_same_radiograph_are_no_error(cases):
    cases[1] = Judged("case 1", cases[0].given, cases[0].seen, 2)
    kinds = {row.kind for row in collected(cases) if row.stands_out}
    assert kinds == {"other image"}
    pair = Twins(("case 0", "case 1"), 1.0, mirrored=False, by_chance=1e-4)
    assert {row.kind for row in collected(cases, [pair]) if row.stands_out} == {"same image"}


def test_annotators_who_differ_more_than_others_are_named(cases):
    rng = np.random.default_rng(0)
    names = [case.case for case in cases]
    dice = [*rng.normal(0.9, 0.02, len(cases) - 1), 0.1]
    differences = find_differences(names, ["middle"] * len(cases), dice)
    rows = [row for row in collected(cases, differences=differences) if row.kind == "annotators"]
    assert [row.case for row in rows] == ["case 29"]
    assert rows[0].text.endswith("agree with a Dice of 10 %.")


def test_the_head_counts_what_was_judged_and_what_was_not(cases):
    about = describe("set", cases[:2], {"validation": ["case 0"], "test": ["case 1", "case 9"]}, 0.4, 0)
    assert about.judged == {"validation": 1, "test": 1}
    assert (about.not_judged, about.networks) == (1, (2, 2))


def test_many_findings_in_one_image_make_no_other_image_stand_out(cases):
    def finding(case, chance):
        return Finding(case, Proposal("cut off", (1,), 5.0), chance)

    def count(*findings):
        origins = {case.case: Origin("test", case.case) for case in cases}
        about = {"judged": cases, "origins": origins, "classes": CLASSES, "share": 0.4}
        return sum(row.stands_out for row in collect(findings, [], [], **about))

    in_one = [finding("case 0", chance) for chance in (0.01, 0.02, 0.03, 0.04)]
    in_many = [finding(f"case {place}", 0.01 * (place + 1)) for place in range(4)]
    assert count(*in_one, finding("case 5", 1.5)) == 1
    assert count(*in_many, finding("case 5", 1.5)) == 5
