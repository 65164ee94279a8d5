"""samcarry check: all faults of config and data at once, one line each, without torch or Snakemake."""

import subprocess
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from samcarry.cli import main
from samcarry.data.phantoms import draw_phantoms, write_dataset
from samcarry.images.masks import write_mask
from support.cvat_files import image as cvat_image
from support.cvat_files import polygon
from support.imported_study import coco
from support.paths import ROOT, SCRIPTS


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A working folder with a data set and its config; returns a function that changes the config."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resources").symlink_to(ROOT / "resources")
    counts = {"train": 5, "val": 2, "test": 3, "unlabelled": 3}
    write_dataset(draw_phantoms(counts=counts, seed=0, height=64, width=64), tmp_path / "mine")

    def configure(**keys):
        config = {
            "preset": "fast",
            "dataset": "mine",
            "source": {"format": "folder", "folder": "mine"},
            "images": {"height": 64, "width": 64},
            "n": 5,
        }
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(config | keys))

    configure()
    return configure


def checked(capsys):
    code = main(["check", "--configfile", "c.yaml"])
    return code, capsys.readouterr().out.splitlines()


def lines_with(lines, *parts):
    return [line for line in lines if all(part in line for part in parts)]


def test_a_good_study_has_a_table_and_no_fault(study, capsys):
    code, lines = checked(capsys)
    assert code == 0, lines
    assert lines_with(lines, "images", "5", "2", "3")
    assert lines_with(lines, "0 faults")


def test_faults_of_config_and_data_come_together(study, tmp_path, capsys):
    study(cleaning={"raduis": 2}, images={"height": 60, "width": 64})
    images = sorted((tmp_path / "mine/images").iterdir())
    images[0].write_bytes(b"")
    images[1].write_bytes(images[1].read_bytes()[:99])
    code, lines = checked(capsys)
    assert code == 1
    for parts in (
        ("config: cleaning", "radius"),
        ("images.height is 60",),
        (images[0].name,),
        (images[1].name,),
    ):
        assert lines_with(lines, "fault: ", *parts), lines
    assert lines_with(lines, "4 faults")


def test_a_string_for_n_does_not_hide_other_faults_of_the_config(study, capsys):
    study(n="5", seeds=[])
    code, lines = checked(capsys)
    assert code == 1
    assert lines_with(lines, "fault: config: n: ")
    assert lines_with(lines, "fault: config: seeds: ")


@pytest.mark.parametrize("window", [[0.005, 0.995], [99.5, 0.5], [1, 2, 3]])
def test_a_wrong_window_is_one_line_and_not_one_for_each_image(study, capsys, window):
    study(images={"height": 64, "width": 64, "window": window})
    code, lines = checked(capsys)
    assert code == 1
    assert len(lines_with(lines, "fault: ")) == 1
    assert lines_with(lines, "images.window")


def test_too_large_an_n(study, capsys):
    study(n=6)
    assert lines_with(checked(capsys)[1], "fault: ", "has 5 labelled cases", "n = 6")


def test_every_case_labelled(study, tmp_path, capsys):
    sheet = tmp_path / "mine/cases.csv"
    sheet.write_text(sheet.read_text().replace(",unlabelled,", ",train,"))
    assert lines_with(checked(capsys)[1], "fault: ", "every case has labels", "hide_labels_beyond: 5")
    study(splits={"hide_labels_beyond": 5})
    assert checked(capsys)[0] == 0


def test_warnings_name_the_line_that_settles_them(study, tmp_path, capsys):
    study(images={"height": 32, "width": 128})
    code, lines = checked(capsys)
    assert code == 0
    assert lines_with(lines, "warning: ", "squeezed", "`images: {height: 64, width: 64}`")


def test_one_class_is_a_warning_until_it_is_listed(study, tmp_path, capsys):
    for mask in (tmp_path / "mine/labels").rglob("*.png"):
        if mask.stem != "stem":
            mask.unlink()
    assert lines_with(checked(capsys)[1], "warning: ", "one class only", "`classes: [stem]`")
    study(classes=["stem"])
    assert not lines_with(checked(capsys)[1], "one class only")


def test_labels_of_another_data_set_are_one_line(study, tmp_path, capsys):
    for number, labels in enumerate(sorted((tmp_path / "mine/labels").iterdir())):
        labels.rename(tmp_path / f"mine/labels/K{number}")
    code, lines = checked(capsys)
    assert code == 1
    assert len(lines_with(lines, "fault: ")) == 1
    assert lines_with(lines, "labels of another data set")


def test_a_checkpoint_with_another_sha256(study, capsys):
    entry = {"model": "small", "file": "resources/small_sam.safetensors", "sha256": "0" * 64}
    study(sam={"model": "small", "models": {"small": entry}})
    assert lines_with(checked(capsys)[1], "fault: ", "small_sam.safetensors", "SHA-256")


def test_an_import_is_checked_without_writing_anything(study, tmp_path, capsys):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for name in "abcd":
        Image.fromarray(rng.integers(0, 255, (5, 6), np.uint8)).save(tmp_path / f"pictures/{name}.png")
    coco(tmp_path / "x.json", "a.png", "b.png")
    study(source={"format": "coco", "coco": {"images": "pictures", "annotations": "x.json"}}, n=40)
    (tmp_path / "pictures/d.png").write_bytes(b"x")
    before = sorted(tmp_path.rglob("*"))
    code, lines = checked(capsys)
    assert code == 1
    assert lines_with(lines, "fault: pictures/d.png: ")  # the user's own file, not that of an import
    assert not lines_with(lines, "results/mine")
    assert not lines_with(lines, "samcarry-check-")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_an_import_leaves_out_is_shown(study, tmp_path, capsys):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    shapes = [polygon(label="stem"), polygon("5,5;8,5;8,7", "leaf")]
    for name in "abcdefgh":
        Image.fromarray(rng.integers(0, 255, (8, 9), np.uint8)).save(tmp_path / f"pictures/{name}.png")
    line = '<polyline label="leaf" points="1,1;2,2;3,3"/>'
    size = 'width="9" height="8"'
    lost = [f"lost{number}" for number in range(300)]
    images = [cvat_image(*shapes, line, name=f"{name}.png", size=size) for name in [*"abcdefgh", *lost]]
    (tmp_path / "x.xml").write_text(f"<annotations>{''.join(images)}</annotations>")
    block = {"images": "pictures", "annotations": "x.xml", "classes": {"steam": "stem"}}
    study(source={"format": "cvat", "cvat": block}, n=1, classes=["stem"])
    _, lines = checked(capsys)
    assert lines_with(lines, "warning: ", "300 without an image file (lost0, lost1, ")
    assert lines_with(lines, "warning: ", "skipped 308 shapes: polyline 308")
    assert lines_with(lines, "warning: ", "dropped 308 shapes of other classes: leaf 308")
    assert lines_with(lines, "warning: classes: no annotation has the class steam")
    assert lines_with(lines, "imported labels/a, imported labels/b", "the same masks")
    assert max(map(len, lines)) < 1100
    study(source={"format": "cvat", "cvat": block | {"classes": {"leaf": None}}}, n=1)
    _, lines = checked(capsys)
    assert not lines_with(lines, "dropped")
    assert not lines_with(lines, "classes: no")


def test_a_tab_in_a_config_and_a_missing_config(study, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text("n: 3\nimages:\n\theight: 3\n")
    assert lines_with(checked(capsys)[1], "fault: config: c.yaml, line 3", "tab")
    assert main(["check", "--configfile", "none.yaml"]) == 1
    assert "none.yaml: there is no such config" in capsys.readouterr().out


def test_neither_torch_nor_snakemake_is_imported(study, tmp_path):
    code = (
        "import sys; from samcarry.cli import main; main(['check', '--configfile', 'c.yaml']);"
        "assert not {'torch', 'snakemake', 'matplotlib', 'highdicom'} & set(sys.modules), 'imported'"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(SCRIPTS), "PATH": ""}, check=True
    )


def test_masks_that_are_inverted_are_named(study, tmp_path, capsys):
    labels = sorted((tmp_path / "mine/labels").iterdir())
    for folder in labels:
        mask = np.zeros((64, 64), bool)
        mask[:16] = True
        write_mask(folder / "stem.png", mask if folder is not labels[0] else ~mask)
    assert lines_with(checked(capsys)[1], "warning: ", f"{labels[0].name}/stem.png: may be inverted")


def test_corrections_may_bring_the_cases_that_n_counts(study, tmp_path, capsys):
    study(n=7, corrections=["done.xml"])
    (tmp_path / "done.xml").write_text("<annotations/>")
    code, lines = checked(capsys)
    assert code == 0, lines
    assert lines_with(lines, "warning: ", "corrections")


def test_a_file_of_corrections_that_does_not_exist_is_a_fault(study, tmp_path, capsys):
    study(corrections=["nope.xml", "done.xml"])
    (tmp_path / "done.xml").write_text("<annotations/>")
    code, lines = checked(capsys)
    assert code == 1
    assert lines_with(lines, "fault: corrections: nope.xml: there is no such file")
    assert lines_with(lines, "1 faults")


def test_accepted_duplicates_that_are_no_cases_are_named(study, tmp_path, capsys):
    known = sorted(path.stem for path in (tmp_path / "mine/images").iterdir())
    study(splits={"accepted_duplicates": [[known[0], "gone"], [known[1], known[2]]]})
    _, lines = checked(capsys)
    assert lines_with(lines, "warning: splits.accepted_duplicates: gone are not among the cases")
    study(splits={"accepted_duplicates": [[known[1], known[2]]]})
    assert not lines_with(checked(capsys)[1], "accepted_duplicates")


def test_measurements_of_an_unknown_class_are_a_fault_although_classes_are_null(study, capsys):
    wrong = {"gap": {"between": ["stem", "femur"]}, "angle": {"between": ["axis of tibia", "vertical"]}}
    study(measurements=wrong)
    code, lines = checked(capsys)
    assert code == 1
    assert lines_with(lines, "fault: ", "measurements.gap", "'femur'")
    assert lines_with(lines, "fault: ", "measurements.angle", "'tibia'")
    study(measurements={"angle": {"between": ["axis of stem", "vertical"]}})
    assert checked(capsys)[0] == 0


def test_a_study_with_a_table_is_checked_as_it_is_imported(study, tmp_path, capsys):
    (tmp_path / "pictures").mkdir()
    rng = np.random.default_rng(0)
    stems = [f"000{n}_010101_01_WRI-L1_M001" for n in range(1, 5)]
    for stem in stems:
        Image.fromarray(rng.integers(0, 255, (5, 6), np.uint8)).save(tmp_path / f"pictures/{stem}.png")
    rows = [f"{stem},{number},L,1" for number, stem in enumerate(stems)]
    (tmp_path / "t.csv").write_text("\n".join(["filestem,patient_id,laterality,projection", *rows]))
    for split, stem in zip(("train", "val", "test"), stems, strict=False):
        drawn = cvat_image(polygon(label="Ulna"), name=f"{stem}.png")
        (tmp_path / f"{split}.xml").write_text(f"<annotations><version>1.1</version>{drawn}</annotations>")
    block = {"images": "pictures", "table": "t.csv"}
    block["annotations"] = {split: f"{split}.xml" for split in ("train", "val", "test")}
    study(source={"format": "cvat", "cvat": block}, n=1, classes=["Ulna"])
    code, lines = checked(capsys)
    assert code == 0, lines
    assert lines_with(lines, "Ulna", "1", "1", "1", "0")
    (tmp_path / "t.csv").write_text("filestem\n")
    assert lines_with(checked(capsys)[1], "fault: ", "t.csv")
