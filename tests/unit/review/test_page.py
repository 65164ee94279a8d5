"""The review page: worst first, no more than asked for, offline, and safe from names."""

import re

import numpy as np
import pandas as pd
import pytest

from samcarry.review.page import render_review, review_cases
from samcarry.storage.stacks import Stack, write_stack

CLASSES = ("Radius", "<b>Ulna</b>")
CASES = ("a", "b", "c")


@pytest.fixture
def page(tmp_path):
    """A function from how many cases are shown to the page."""
    chance = np.random.default_rng(0)
    masks = (chance.random((3, 2, 24, 20)) > 0.5).astype(np.uint8)
    write_stack(tmp_path / "i.nii.gz", Stack(chance.integers(0, 255, (3, 24, 20), np.uint8), "image", CASES))
    write_stack(tmp_path / "r.nii.gz", Stack(masks, "mask", CASES, CLASSES))
    write_stack(tmp_path / "p.nii.gz", Stack(masks * 255, "probability", CASES, CLASSES))
    ranking = pd.DataFrame({"case": ["c", "a", "b"], "rank": [1, 2, 3], "doubt": [0.9, 0.5, 0.1],
                            "reason": ["<i>first</i>; second", "third", ""]})  # fmt: skip
    of_class = pd.DataFrame({"case": ["c", "a"], "class": CLASSES, "doubt": [0.75, 0.5]})

    def make(shown):
        files = {
            name: [str(tmp_path / f"{name[0]}.nii.gz")] for name in ("images", "refined", "probabilities")
        }
        cases = review_cases(ranking, of_class, **files, classes=CLASSES, shown=shown)
        return render_review(cases, CLASSES, dataset="<u>demo</u>", n=8, seed=0, total=3)

    return make


def test_cases_come_worst_first_with_their_reasons(page):
    html = page(3)
    assert re.findall(r'data-name="(\w)"', html) == ["c", "a", "b"]
    assert "<li>&lt;i&gt;first&lt;/i&gt;</li>" in html
    assert "<li>second</li>" in html


def test_no_more_cases_are_embedded_than_asked_for(page):
    html = page(1)
    assert re.findall(r'data-name="(\w)"', html) == ["c"]
    assert "The 1 most doubtful of 3 unlabelled cases" in html
    assert len(html) < len(page(3))


def test_the_page_loads_nothing_and_escapes_every_name(page):
    html = page(3)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html)
    for raw in ("<b>Ulna", "<u>demo", "<i>first"):
        assert raw not in html


def test_r_and_p_are_drawn_and_classes_can_be_chosen(page):
    html = page(3)
    assert (
        html.count("R: what SAM drew</figcaption>")
        == html.count("P: what the first network saw</figcaption>")
        == 3
    )
    assert html.count('class="k k0"') == html.count('class="k k1"') == 6
    assert re.search(r'data-doubt="\{&#34;0&#34;: 0.75\}"|data-doubt="\{&quot;0&quot;: 0.75\}"', html)
