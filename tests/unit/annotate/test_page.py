"""The page's parts: its program, its policy, and what does not fit."""

import json
import re

import numpy as np
import pytest

from samcarry.annotate.cases import write_annotator
from samcarry.annotate.frame import bundle, page_colours
from samcarry.annotate.page import PageCase, render_annotator
from samcarry.annotate.parts import decoder_weights, embed_parts, windows_of
from samcarry.errors import InputError
from samcarry.sam.crops import Window
from samcarry.sam.embedding import embed


def case(name, sam=None, size=(24, 30)):
    image = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
    parts = [] if sam is None else list(embed_parts(sam, image, "float32", enlarged=False))
    start = np.zeros((2, *size), bool)
    start[1, 3:5, 2:9] = True
    return PageCase(name, image, "0" * 64, start, parts)


def render(cases, sam=None, **options):
    settings = {"dataset": "mine", "task": "task-1", "classes": ["a", "b"], "expected": len(cases)} | options
    return render_annotator(cases, sam=None if sam is None else decoder_weights(sam), **settings)


def described(page):
    return json.loads(re.search(r'<script type="application/json" id="page">(.*?)</script>', page)[1])


def test_the_page_describes_its_cases():
    page, shown = render([case("one"), case("two")])
    about = described(page)
    assert shown == [entry["name"] for entry in about["cases"]] == ["one", "two"]
    assert about["cases"][0]["start"] == {
        "1": {"left": 2, "top": 3, "width": 7, "height": 2, "runs": [0, 14]}
    }
    assert about["note"] == ""
    assert about["id"] != described(render([case("one")])[0])["id"]


def test_cases_that_do_not_fit_are_left_out_and_the_page_says_so():
    cases = [case("one", size=(200, 300)), case("two", size=(200, 300))]
    picture = re.search(r'id="picture-0">(.*?)</script>', render(cases)[0])[1]
    page, shown = render(cases, most_bytes=3 * len(picture) // 2)
    assert shown == ["one"]
    assert described(page)["note"].startswith("This page has 1 of 2 cases")


def test_a_page_without_a_case_is_refused():
    with pytest.raises(InputError, match="would have no case"):
        render([])
    with pytest.raises(InputError, match="larger than 0 MB"):
        render([case("one")], most_bytes=10)


def test_the_program_is_one_script_without_modules():
    for entry in ("annotate_main", "annotate_worker", "model_main", "model_worker"):
        program = bundle(entry)
        assert not re.search(r"^(import|export) ", program, re.MULTILINE)
        assert "</script" not in program
        assert program.count("class Store") == (entry == "annotate_main")
        assert "http" not in program
        names = re.findall(r"^(?:const|let|class|(?:async )?function) (\w+)", program, re.MULTILINE)
        assert len(set(names)) == len(names)


def test_nothing_may_be_loaded_and_only_the_program_may_run():
    page, _ = render([case("one")])
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    assert not re.search(r"""(src|href|action)\s*=\s*["']?(https?:)?//""", page)


def test_all_colours_differ():
    colours = page_colours(32)
    assert len(set(colours)) == 32
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)


def test_large_images_have_enlarged_parts_and_small_ones_none():
    assert windows_of((100, 200), 384, enlarged=True) == [Window(0, 0, 200, 100)]
    windows = windows_of((401, 800), 384, enlarged=True)
    assert windows[0] == Window(0, 0, 800, 401)
    assert len(windows) == 10
    assert {window.size for window in windows[1:]} == {(201, 400)}
    covered = np.zeros((401, 800), bool)
    for window in windows[1:]:
        covered[window.view] = True
    assert covered.all()
    assert windows_of((401, 800), 384, enlarged=False) == windows[:1]


def test_parts_are_embedded_like_whole_images(tiny):
    image = np.random.default_rng(0).integers(0, 255, (500, 400), dtype=np.uint8)
    parts = list(embed_parts(tiny, image, "float32", enlarged=True))
    assert len(parts) == 10
    assert parts[1].embedding.equal(embed(tiny, np.ascontiguousarray(image[:250, :200])))
    assert (parts[1].rows, parts[1].columns) == (384, 307)


def write(path, tiny, study, **options):
    settings = {"dataset": "mine", "task": "first", "classes": ["a"], "precision": "float32"}
    settings |= {"window": None, "text_masked": False}
    images = {"c": study / "images/c.png"}
    write_annotator(path, ["c"], images, {}, sam=tiny, **settings | options)


def test_an_existing_page_is_not_replaced(tmp_path, tiny, study):
    path = tmp_path / "annotate.html"
    path.write_text("somebody's page")
    write(path, tiny, study)
    assert path.read_text() == "somebody's page"


@pytest.mark.parametrize(
    ("classes", "message"), [(None, "list the classes"), ([], "list the classes"), (["a;b"], "'a;b'")]
)
def test_classes_that_cannot_be_drawn_are_refused(tmp_path, tiny, study, classes, message):
    with pytest.raises(InputError, match=message):
        write(tmp_path / "annotate.html", tiny, study, classes=classes)
    assert not (tmp_path / "annotate.html").exists()
