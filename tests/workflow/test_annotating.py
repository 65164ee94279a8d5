"""The whole loop on tiny phantoms: the page of a task, a robot that corrects it, and training."""

import csv
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from samcarry.evaluation.dice import dice
from samcarry.images.masks import read_mask
from support.browser import Annotator, needs_browser, open_page
from support.robot_annotator import correct, shown_mask
from support.tiny_project import Project

pytestmark = needs_browser
PAGE = "results/demo/review/task-1/annotate.html"
REVIEW = {
    "source": {
        "phantom": {"counts": {"train": 3, "val": 1, "test": 2, "unlabelled": 12}, "height": 64, "width": 64}
    },
    "review": {"first": {"k": 4}, "tasks": {"k": 3}},
}


@pytest.fixture(scope="module")
def paged(reviewed, tmp_path_factory):
    """A copy of the reviewed project with the page of its first task."""
    folder = tmp_path_factory.mktemp("paged") / "copy"
    shutil.copytree(reviewed.folder, folder, symlinks=True)
    project = Project(folder)
    outcome = project.run(PAGE)
    assert outcome.returncode == 0, outcome.stdout
    return project


def table(project, path):
    return list(csv.DictReader(io.StringIO(project.read(path))))


def truth_of(project, case, name):
    path = project.folder / f"results/demo/phantom/labels/{case}/{name}.png"
    return read_mask(path) if path.is_file() else None


def correct_all(annotator, project, classes, cases):
    """Correct and finish every case; the Dice of all objects before and after."""
    before, after = [], []
    for number, case in enumerate(cases):
        annotator.page.evaluate("number => samcarry.app.showCase(number)", number)
        for name in classes:
            truth = truth_of(project, case, name)
            if truth is None:
                annotator.choose(name)
                annotator.press("x")
                continue
            course = correct(annotator, name, truth, most=5, enough=0.95)
            before.append(course[0])
            after.append(course[-1])
        annotator.finish()
    return np.mean(before), np.mean(after)


def test_a_task_is_corrected_on_its_page_and_its_file_joins_training(paged, browser, tmp_path):
    cases = [row["case"] for row in table(paged, "results/demo/review/task-1/cases.csv")]
    classes = paged.read("results/demo/classes.txt").splitlines()
    context = browser.new_context(accept_downloads=True)
    annotator = Annotator(open_page(context, paged.folder / PAGE))
    before, after = correct_all(annotator, paged, classes, cases)
    assert after > before + 0.05
    shown = {}
    for number, case in enumerate(cases):
        annotator.page.evaluate("number => samcarry.app.showCase(number)", number)
        shown |= {(case, name): shown_mask(annotator, name) for name in classes}
    annotator.save(tmp_path).rename(paged.folder / "saved.xml")
    context.close()

    paged.configure(**REVIEW, n=6, corrections=["saved.xml"])
    outcome = paged.run("results/demo/n6/statistics.json")
    assert outcome.returncode == 0, outcome.stdout
    rows = {row["case"]: row for row in table(paged, "results/demo/corrected/cases.csv")}
    for case in cases:
        assert rows[case]["split"] == "train"
        assert rows[case]["corrected_by"] == "A. Müller"
        for name in classes:
            file = paged.folder / f"results/demo/corrected/labels/{case}/{name}.png"
            found = read_mask(file) if file.is_file() else np.zeros((64, 64), bool)
            assert np.array_equal(found, shown[case, name])
    scores = [
        dice(truth, shown[case, name])
        for case in cases
        for name in classes
        if (truth := truth_of(paged, case, name)) is not None
    ]
    assert np.mean(scores) == pytest.approx(after)


def test_a_page_is_never_replaced(paged):
    page = paged.folder / PAGE
    page.write_text("somebody's page")
    outcome = paged.run(PAGE, "--forcerun", "write_annotator")
    assert outcome.returncode == 0, outcome.stdout
    assert page.read_text() == "somebody's page"


def test_a_study_starts_from_nothing_but_images_and_classes(project, browser, tmp_path):
    """A folder of images without any label, the page of the first ones, and a data set with splits."""
    images = project.folder / "data/images"
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(12):
        y, x = np.mgrid[:64, :64]
        bright = np.hypot(x - 30, y - 20 - number) < 12
        Image.fromarray((50 + 120 * bright + rng.integers(0, 20, (64, 64))).astype(np.uint8)).save(
            images / f"image{number}.png"
        )
    block = {"format": "folder", "folder": "data"}
    review = {"first": {"k": 10, "columns": []}}
    project.configure(source=block, classes=None, review=review)
    outcome = project.run("results/demo/first/annotate.html")
    assert outcome.returncode != 0
    assert "list the classes that are to be drawn" in outcome.stdout
    project.configure(source=block, classes=["disc", "ring"], review=review)
    outcome = project.run("results/demo/first/annotate.html")
    assert outcome.returncode == 0, outcome.stdout

    context = browser.new_context(accept_downloads=True)
    annotator = Annotator(open_page(context, project.folder / "results/demo/first/annotate.html"))
    for number in range(10):
        annotator.page.evaluate("number => samcarry.app.showCase(number)", number)
        top = 8 + int(annotator.page.evaluate("samcarry.app.entry.name").removeprefix("image"))
        annotator.choose("disc")
        annotator.waiting_for_sam(annotator.drag, (18, top), (30, top + 12), (42, top + 24))
        annotator.finish()
    annotator.save(tmp_path).rename(project.folder / "first.xml")
    context.close()

    project.configure(
        source=block,
        classes=["disc"],
        review=review,
        corrections=["first.xml"],
        splits={"val_fraction": 0.2, "test_fraction": 0.2, "seed": 0, "patient_pattern": "^(.+)$"},
    )
    outcome = project.run("results/demo/manifest.csv")
    assert outcome.returncode == 0, outcome.stdout
    splits = [row["split"] for row in table(project, "results/demo/manifest.csv")]
    assert sorted(set(splits)) == ["test", "train", "unlabelled", "val"]
    assert splits.count("unlabelled") <= 2
