"""The report: it loads nothing, escapes what a user named, holds every case, does without missing parts."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from samcarry.data.manifest import ManifestRow, write_manifest
from samcarry.evaluation.comparison import all_pairs, compare
from samcarry.evaluation.scores import dice_rows, write_dice
from samcarry.evaluation.summary import read_dice, summarise_classes
from samcarry.evaluation.table1 import tabulate, write_statistics
from samcarry.prompting.prompts import extract_prompts, write_prompts
from samcarry.report.html import embedded
from samcarry.report.page import limitations, plain_findings, render
from samcarry.report.sources import read_report
from samcarry.storage.stacks import Stack, write_stack

CLASSES = ["<b>Ulna</b>", 'Os "x" & y']
TEST = [f"t{index}" for index in range(8)]
UNLABELLED = ["u<script>", "u2"]
CONFIG = {
    "dataset": "demo",
    "source": {"format": "phantom"},
    "images": {"height": 24, "width": 16},
    "sam": {"model": "tiny", "models": {"tiny": {"model": "tiny"}}},
}
MADE_BY = {"rule": "predict", "params": {"code": "abc123"}, "versions": {"torch": "2.14"}}


class Page(HTMLParser):
    """Tags with their attributes, and the visible text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)
        self.text = " ".join(self.words)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] not in ("style", "script"):
            self.words.append(data.strip())

    def all(self, name, /, **wanted):
        """Attributes of the tags of this name, with these values."""
        found = [attributes for tag, attributes in self.tags if tag == name]
        return [one for one in found if all(one.get(key) == value for key, value in wanted.items())]


def masks(cases, seed):
    values = np.zeros((len(cases), 2, 24, 16), np.uint8)
    shift = np.random.default_rng(seed).integers(0, 4, len(cases))
    for place, by in enumerate(shift):
        values[place, 0, 4 + by : 14 + by, 3:10] = 1
    return values


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files of a small run: eight test and two unlabelled cases, two methods."""
    folder = tmp_path_factory.mktemp("run")

    def stack(name, values, kind, cases):
        classes = tuple(CLASSES) if kind == "mask" else ()
        write_stack(folder / f"{name}.nii.gz", Stack(values, kind, tuple(cases), classes, MADE_BY))

    for prefix, cases in (("", TEST), ("unlabelled_", UNLABELLED)):
        stack(f"{prefix}images", np.full((len(cases), 24, 16), 99, np.uint8), "image", cases)
        for seed, name in enumerate(("masks", "unet", "cleaned", "unet_sam", "ours_r")):
            stack(prefix + name, masks(cases, seed), "mask", cases)
        asked = {c: extract_prompts(m > 0) for c, m in zip(cases, masks(cases, 2), strict=True)}
        write_prompts(folder / f"{prefix}prompts.json", asked, CLASSES)
    rows = [
        row
        for seed, method in ((1, "unet"), (3, "unet_sam"), (4, "ours_r"))
        for row in dice_rows(
            masks(TEST, 0) > 0, masks(TEST, seed) > 0, TEST, CLASSES,
            dataset="demo", n=5, seed=0, method=method, tolerance=1.0,
        )
    ]  # fmt: skip
    write_dice(folder / "dice.csv", rows)
    table = read_dice(folder / "dice.csv")
    methods = ["unet", "unet_sam", "ours_r"]
    note = {"unet_sam": "a note with <i>tags</i>"}
    missing = {"unet_full": "no labels"}
    write_statistics(folder / "table1.csv", tabulate(table, methods, missing=missing, notes=note, paper={}))
    write_statistics(folder / "differences.csv", compare(table, all_pairs(methods)))
    write_statistics(folder / "per_class.csv", summarise_classes(table, methods))
    write_manifest(
        folder / "manifest.csv",
        [ManifestRow(case, "test-0000", "test", case, None, "i", "l", (CLASSES[0],)) for case in TEST]
        + [
            ManifestRow(case, "unlabelled-0000", "unlabelled", case, None, "i", "", ()) for case in UNLABELLED
        ],
    )
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    (folder / "sam.yaml").write_text("# found <here>\ncleaning: {radius: 3}\n")
    pd.DataFrame({"question": ["first pass"], "answer": ["box"], "best": [2.5]}).to_csv(
        folder / "answers.csv", index=False
    )
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks/embed.tsv").write_text("s\tmax_rss\tcpu_time\n75\t640\t70\n")
    Image.new("RGB", (2400, 30)).save(folder / "picture.png")
    found = {path.name.split(".")[0]: [str(path)] for path in folder.iterdir() if path.is_file()}
    pictures = {name: [str(folder / "picture.png")] for name in ("ablation", "training", "tuning")}
    lists = {
        "qualitative": [str(folder / "picture.png")] * 3,
        "tuned": [str(folder / "sam.yaml")],
        "benchmarks": [str(folder / "benchmarks")],
    }
    return {**found, **pictures, **lists}


def page_of(files, *without, config=CONFIG):
    kept = {name: paths for name, paths in files.items() if name not in without}
    report = read_report(kept, n=5, seed=0, config=config, benchmarks=files["benchmarks"][0], shown=6)
    text = render(report)
    return text, Page(text)


@pytest.fixture(scope="module")
def whole(files):
    return page_of(files)


def test_nothing_is_loaded_from_elsewhere(whole):
    text, page = whole
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            if attributes.get(name):
                assert attributes[name].startswith(("data:", "#")), (tag, attributes[name][:80])
    assert all(address.startswith("data:") for address in re.findall(r"url\(['\"]?([^)]{0,20})", text))
    assert not re.search(r"@import|https?://|<link|<iframe", text)


def test_names_of_a_user_are_text_and_never_markup(whole):
    text, page = whole
    assert "<b>Ulna" not in text
    assert "u<script>" not in text
    assert "<i>tags" not in text
    assert "<b>Ulna</b>" in page.text
    assert 'Os "x" & y' in page.text
    assert len(page.all("script")) == 1


def test_the_gallery_has_every_case_that_was_chosen_and_all_its_stages(whole):
    _, page = whole
    cases = page.all("article", **{"class": "case"})
    assert len(cases) == 6 + 2
    assert [case["data-name"] for case in cases[-2:]] == UNLABELLED
    best = cases[0]["data-name"]
    titles = [one["aria-label"] for one in page.all("svg") if f" of {best}" in one["aria-label"]]
    assert [title.split(" of ")[0] for title in titles] == [
        "reference", "P: U-Net (f_θ)", "cleaned P, prompts", "R: U-Net + SAM", "ours w/ SAM (R)"
    ]  # fmt: skip


def test_tables_and_pictures_can_be_read_aloud(whole):
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


def test_links_within_the_page_lead_somewhere(whole):
    _, page = whole
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert {one["href"][1:] for one in page.all("a")} <= ids


def test_results_settings_costs_and_versions_are_told(whole):
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
        (("ablation",), "Fewer and more labels"),
        (("tuned", "answers", "tuning"), "Tuned on the validation split"),
        (("unlabelled_masks",), "hidden from all methods"),
    ],
)
def test_what_a_run_lacks_is_left_out(files, whole, without, gone):
    assert gone in whole[1].text
    _, page = page_of(files, *without)
    assert gone not in page.text
    assert len(page.all("article")) == 8


def test_a_run_with_the_bare_minimum_still_has_a_page(files):
    without = [name for name in files if name.startswith("unlabelled_")]
    without += ["ablation", "qualitative", "training", "tuned", "answers", "tuning", "cleaned", "prompts"]
    _, page = page_of(files, *without)
    assert len(page.all("article")) == 6
    assert not page.all("section", id="figures")
    assert "Nothing was tuned" in page.text


def test_wide_figures_are_shrunk_and_others_kept(tmp_path):
    for width in (3000, 300):
        Image.new("RGB", (width, 60)).save(tmp_path / "a.png")
        assert embedded(tmp_path / "a.png")["width"] == min(width, 2000)


def findings(low, high):
    table = pd.DataFrame({"method": ["unet", "ours_r"], "cases": [9, 9], "mean": [70.0, 74.0]})
    differences = pd.DataFrame(
        [{"method": "ours_r", "against": "unet", "difference": 4.0, "low": low, "high": high}]
    )
    return " ".join(plain_findings(table, differences, "test"))


def test_findings_say_when_chance_could_explain_a_difference():
    assert "chance" in findings(-1.0, 9.0)
    assert "chance" not in findings(1.0, 7.0)
    assert "too few cases" in findings(float("nan"), float("nan"))
    assert "4.0 points of Dice above" in findings(1.0, 7.0)


def test_limitations_name_what_this_run_lacks():
    always = limitations({"source": {"format": "folder"}}, "test", 50, 3)
    assert any("One object a class" in limit for limit in always)
    told = " ".join(limitations(CONFIG, "val", 5, 1))
    for words in ("phantoms", "tiny model", "no test split", "Only 5 cases", "trained once"):
        assert words in told
        assert words not in " ".join(always)
