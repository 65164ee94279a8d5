"""A study with text in its images: no file that people get shows it if the config says so."""

import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from samcarry.images.grey import read_grey, write_grey
from samcarry.images.masks import write_mask
from samcarry.images.text import find_text
from samcarry.storage.filled import HTML_MARK
from samcarry.storage.tables import read_table, write_table
from support.burned_text import burn, pictures_in, radiograph, share_shown
from support.paths import ROOT
from support.tiny_project import Project, make_project

TARGETS = {  # and the rules that make them
    "results/demo/review/index.html": "write_review",
    "results/demo/review/task-1/images.zip": "export_task",
    "results/demo/review/task-1/annotate.html": "write_annotator",
    "results/demo/first/contact_sheet.png": "choose_first",
    "results/demo/first/annotate.html": "write_first_annotator",
    "results/demo/n3/seed0/export/unet/export.json": "export_masks",
}


def configure(project, mask_text):
    project.configure(
        source={"format": "folder", "folder": "data"},
        classes=["bone"],
        images={"mask_text": mask_text},
        review={"first": {"k": 2, "columns": []}, "tasks": {"k": 2}},
        export={"formats": ["overlay", "nnunet"]},
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A project in which all images have text, all pictures are made without it, and the plain images."""
    project = make_project(tmp_path_factory.mktemp("study"))
    data = project.folder / "data"
    splits = ["train"] * 3 + ["val"] + ["test"] * 2 + ["unlabelled"] * 4
    plain = {f"p{number}": radiograph(128, 160, number) for number in range(len(splits))}
    for (case, image), split in zip(plain.items(), splits, strict=True):
        burned = burn(image, "DOE, M. 12.03.78", (5, 5), size=12)
        assert find_text(burned), case
        write_grey(data / f"images/{case}.png", burned)
        if split != "unlabelled":
            write_mask(data / f"labels/{case}/bone.png", image > 110)
    write_table(data / "cases.csv", ["case", "split"], zip(plain, splits, strict=True))
    configure(project, True)
    outcome = project.run(*TARGETS)
    assert outcome.returncode == 0, outcome.stdout
    return project, plain


def pictures_of(project: Project):
    """[file, case, picture] of all that people get."""
    root = project.folder / "results/demo"
    doubtful = [row["case"] for row in read_table(root / "review/doubt.csv", ["case"])]
    first = [row["case"] for row in read_table(root / "first/cases.csv", ["case"])]
    for name, cases in (
        ("review/index.html", doubtful),
        ("review/task-1/annotate.html", doubtful[:2]),
        ("first/annotate.html", first),
    ):
        shown = pictures_in((root / name).read_text(encoding="utf-8"))
        assert len(shown) == len(cases)
        yield from ((name, case, picture) for case, picture in zip(cases, shown, strict=True))
    with zipfile.ZipFile(root / "review/task-1/images.zip") as archive:
        for name in archive.namelist():
            picture = np.array(Image.open(io.BytesIO(archive.read(name))))
            yield "images.zip", name.removesuffix(".png"), picture
    sheet = np.array(Image.open(root / "first/contact_sheet.png"))
    for number, case in enumerate(first):
        yield "contact_sheet.png", case, sheet[25 : 25 + 134, 8 + 176 * number :][:, :168]
    export = root / "n3/seed0/export/unet"
    for file in sorted(export.rglob("*.png")):
        if "labelsTr" not in file.parts:
            yield file.parent.name, file.stem.removesuffix("_0000"), read_grey(file)[:128, :160]


def test_no_picture_shows_the_text(study):
    project, plain = study
    seen = set()
    for name, case, picture in pictures_of(project):
        burned = read_grey(project.folder / f"data/images/{case}.png")
        assert share_shown(picture, plain[case], burned) < 0.1, (name, case)
        seen.add(name)
    assert len(seen) == 7


def test_another_value_of_the_key_makes_them_again_but_no_page_or_task_that_somebody_may_use(study):
    project, _ = study
    assert project.planned(*TARGETS) == set()
    configure(project, False)
    # The input checks come first; then the images are prepared again.
    assert {"list_cases", "choose_first", "write_review", "export_masks"} <= project.planned(*TARGETS)
    configure(project, True)
    assert project.planned(*TARGETS) == set()


def test_a_run_names_pages_and_tasks_that_were_made_without_the_key(study):
    project, _ = study
    assert "was made without images.mask_text" not in project.run("-n").stdout
    page = project.folder / "results/demo/first/annotate.html"
    text = page.read_text(encoding="utf-8")
    assert HTML_MARK in text
    page.write_text(text.replace(HTML_MARK, ""), encoding="utf-8")
    lines = [line for line in project.run("-n").stdout.splitlines() if "made without" in line]
    assert len(lines) == 1
    assert "results/demo/first/annotate.html: was made without images.mask_text" in lines[0]
    configure(project, False)
    assert "was made without images.mask_text" not in project.run("-n").stdout


@pytest.mark.parametrize("rule", sorted({*TARGETS.values()}))
def test_the_key_is_a_parameter_of_every_rule_that_writes_pictures(rule):
    """Otherwise a job whose other inputs stay the same would not run again."""
    texts = [file.read_text() for file in (ROOT / "workflow/rules").glob("*.smk")]
    [block] = re.findall(rf"^rule {rule}:.*?(?=^rule |\Z)", "\n".join(texts), re.DOTALL | re.MULTILINE)
    assert "text_masked=TEXT_MASKED" in block or 'images=config["images"]' in block
