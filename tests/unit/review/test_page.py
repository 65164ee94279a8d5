"""The review page shows the most doubtful cases first, works offline and escapes all text."""

import re

import numpy as np
import pandas as pd
import pytest

from samcarry.review.page import PREDICTED, REFINED, render_review, review_cases
from samcarry.storage.stacks import Stack, write_stack

CLASSES = ("Radius", "<b>Ulna</b>")
CASES = ("a", "b", "c")


@pytest.fixture
def page(tmp_path):
    """A function that renders the page with a given number of cases."""
    rng = np.random.default_rng(0)
    masks = (rng.random((3, 2, 24, 20)) > 0.5).astype(np.uint8)
    write_stack(tmp_path / "i.nii.gz", Stack(rng.integers(0, 255, (3, 24, 20), np.uint8), "image", CASES))
    write_stack(tmp_path / "r.nii.gz", Stack(masks, "mask", CASES, CLASSES))
    write_stack(tmp_path / "p.nii.gz", Stack(masks * 255, "probability", CASES, CLASSES))
    reasons = ["<i>first</i>; second", "third", ""]
    ranking = pd.DataFrame(
        {"case": ["c", "a", "b"], "rank": [1, 2, 3], "doubt": [0.9, 0.5, 0.1], "reason": reasons}
    )
    of_class = pd.DataFrame({"case": ["c", "a"], "class": CLASSES, "doubt": [0.75, 0.5]})

    def make(shown):
        files = {
            name: [str(tmp_path / f"{name[0]}.nii.gz")] for name in ("images", "refined", "probabilities")
        }
        cases = review_cases(ranking, of_class, **files, classes=CLASSES, shown=shown)
        return render_review(cases, CLASSES, dataset="<u>demo</u>", n=8, seed=0, total=3)

    return make


def test_the_most_doubtful_cases_come_first_with_their_reasons(page):
    html = page(3)
    assert re.findall(r'data-name="(\w)"', html) == ["c", "a", "b"]
    assert "<li>&lt;i&gt;first&lt;/i&gt;</li>" in html
    assert "<li>second</li>" in html


def test_the_number_of_cases_is_limited(page):
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
    assert html.count(f"<figcaption>{REFINED}</figcaption>") == 3
    assert html.count(f"<figcaption>{PREDICTED}</figcaption>") == 3
    assert html.count('class="k k0"') == html.count('class="k k1"') == 6
    assert re.search(r'data-doubt="\{&#34;0&#34;: 0.75\}"|data-doubt="\{&quot;0&quot;: 0.75\}"', html)


def test_the_page_explains_p_and_r_once(page):
    html = page(3)
    assert html.count("<b>P</b>") == html.count("<b>R</b>") == 1


def test_a_page_without_cases_says_so():
    assert "There are no unlabelled cases." in render_review([], CLASSES, dataset="d", n=8, seed=0, total=0)
