"""samcarry init: a config of some ten lines, or lines that say what to do, and nothing written."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from samcarry.cli import main
from samcarry.data.phantoms import draw_phantoms, write_dataset
from samcarry.images.masks import write_mask
from samcarry.setup.finding import find_source
from samcarry.setup.hardware import Hardware
from samcarry.setup.starting import _quoted, _training, start
from support.cvat_files import image as cvat_image
from support.cvat_files import polygon, save
from support.paths import ROOT

CPU = Hardware((), 2, 24.0, 100.0)
GPU = Hardware((("H200", 140.0),), 16, 128.0, 100.0)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with the included checkpoints."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resources").symlink_to(ROOT / "resources")
    return tmp_path


def draw(folder, *, classes=("lung", "heart"), patients=12, unlabelled=4, size=(64, 48), bits=8, sheet=True):
    rng = np.random.default_rng(0)
    rows = ["case,patient"]
    for number in range(patients + unlabelled):
        name = f"P{number:03}_{number % 2}"
        rows.append(f"{name},P{number:03}")
        grey = rng.integers(0, 4096 if bits == 16 else 256, size).astype(
            np.uint16 if bits == 16 else np.uint8
        )
        (folder / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey).save(folder / f"images/{name}.png")
        if number >= patients:
            continue
        for place, of_class in enumerate(classes):
            mask = np.zeros(size, bool)
            mask[8 : 8 + 20, 4 + 20 * place : 20 + 20 * place] = True
            (folder / "labels" / name).mkdir(parents=True, exist_ok=True)
            write_mask(folder / f"labels/{name}/{of_class}.png", mask)
    if sheet:
        (folder / "cases.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_a_folder_becomes_a_config_of_some_ten_lines_that_the_checks_accept(place, capsys):
    draw(place / "data/mine")
    target, text, _ = start(place / "data/mine", ROOT, hardware=CPU)
    assert target.read_text() == text
    config = yaml.safe_load(text)
    assert len([line for line in text.splitlines() if not line.startswith("#")]) <= 12
    assert config["preset"] == "recommended"
    assert config["images"] == {"height": 64, "width": 48}  # never larger than the images
    assert config["training"]["width"] == 10
    for part in ("16 images, 12 with labels", "heart (12), lung (12)", "2 CPUs", "Estimate:", "GB of disk"):
        assert part in text
    assert main(["check", "--configfile", str(target)]) == 0
    assert "0 faults" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("folder", "dataset"),
    [
        *[(name, name) for name in ("2024", "yes", "null", "1_000", "0x1F", "1e5", "Off")],
        ("Ünï", "Uni"),
        ("Hände (links)", "Hande-links"),
        ("手首2", "mine"),
        ("it's, a: # [folder]", "it-s-a-folder"),
    ],
)
def test_the_name_of_any_folder_gives_a_config_that_the_checks_accept(place, capsys, folder, dataset):
    draw(place / folder)
    target, text, _ = start(Path(folder), ROOT, hardware=CPU)
    config = yaml.safe_load(text)
    assert (config["dataset"], target.stem) == (dataset, dataset)
    assert config["source"]["folder"] == folder
    assert main(["check", "--configfile", str(target)]) == 0, capsys.readouterr().out


def test_names_that_yaml_would_read_otherwise_are_in_quotes(place):
    draw(place / "mine", classes=("no",))
    text = start(place / "mine", ROOT, one_class=True, hardware=CPU)[1]
    assert yaml.safe_load(text)["classes"] == ["no"]
    for text in ("a, b", "{x}", "it's", "2024-01-01", "a: b", "- x", "ü", "*x", "long " * 60):
        assert yaml.safe_load(f"{{key: {_quoted(text)}}}") == {"key": text}
        assert "\n" not in _quoted(text)


def test_a_gpu_gets_the_presets_training(place):
    draw(place / "data/mine")
    config = yaml.safe_load(start(place / "data/mine", ROOT, hardware=GPU)[1])
    assert "training" not in config


@pytest.mark.parametrize(("memory", "batch"), [(140, None), (24, None), (11, 8), (4, 2)])
def test_the_batch_fits_the_memory_of_the_gpu(memory, batch):
    training = _training("recommended", (384, 224), Hardware((("card", memory),), 8, 64.0, 100.0))
    assert training.get("batch_size") == batch


def test_an_existing_config_is_not_overwritten(place, capsys):
    draw(place / "mine")
    (place / "config").mkdir()
    (place / "config/mine.yaml").write_text("kept")
    assert main(["init", "mine"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert (place / "config/mine.yaml").read_text() == "kept"


def test_12_bits_in_16_get_a_window(place):
    draw(place / "mine", bits=16)
    text = start(place / "mine", ROOT, hardware=CPU)[1]
    assert yaml.safe_load(text)["images"]["window"] == [0.5, 99.5]
    assert "16 bits" in text


def test_warnings_that_the_config_settles_are_not_repeated_and_others_are(place):
    folder = draw(place / "mine", bits=16, size=(64, 64))
    twin = sorted((folder / "images").iterdir())[0]
    shutil.copy(twin, folder / "images/twin.png")
    warnings = start(folder, ROOT, hardware=CPU)[2]
    assert not [line for line in warnings if "nearly black" in line or "squeezed" in line]
    assert [line for line in warnings if "twin" in line]


def test_every_case_labelled_hides_half_of_the_labels(place):
    draw(place / "mine", unlabelled=0, patients=20)
    config = yaml.safe_load(start(place / "mine", ROOT, hardware=CPU)[1])
    assert config["splits"]["hide_labels_beyond"] == config["n"]
    assert main(["check", "--configfile", "config/mine.yaml"]) == 0


def test_patients_are_found_by_the_pattern_of_names(place):
    folder = draw(place / "mine", sheet=False, unlabelled=0)
    for image in sorted((folder / "images").iterdir()):
        other = image.stem[:-1] + "x"
        grey = np.asarray(Image.open(image))[::-1]
        Image.fromarray(np.ascontiguousarray(grey)).save(folder / f"images/{other}.png")
        shutil.copytree(folder / "labels" / image.stem, folder / "labels" / other)
    text = start(folder, ROOT, hardware=CPU)[1]
    assert yaml.safe_load(text)["splits"]["patient_pattern"] == "^([^_]+)"
    assert "Patients: 12." in text


def no_images(folder):
    (folder / "labels/a").mkdir(parents=True)
    return "holds no image"


def three_patients(folder):
    draw(folder, patients=3)
    return "at least 6 patients"


def one_class(folder):
    draw(folder, classes=("lung",))
    return "--one-class"


def other_labels(folder):
    draw(folder)
    for number, labels in enumerate(sorted((folder / "labels").iterdir())):
        labels.rename(folder / f"labels/K{number}")
    return "labels of another data set"


def no_labels(folder):
    draw(folder, patients=0, unlabelled=6)
    (folder / "cases.csv").unlink()
    return "but no labels"


@pytest.mark.parametrize("spoil", [no_images, three_patients, one_class, other_labels, no_labels])
def test_a_bad_folder_says_what_to_do_and_nothing_is_written(place, capsys, spoil):
    words = spoil(place / "mine")
    assert main(["init", "mine"]) == 1
    assert words in capsys.readouterr().err
    assert not (place / "config").exists()


def test_one_class_that_is_meant(place):
    draw(place / "mine", classes=("lung",))
    assert main(["init", "mine", "--one-class"]) == 0
    assert yaml.safe_load((place / "config/mine.yaml").read_text())["classes"] == ["lung"]


def test_a_cvat_export_is_recognised_and_imported(place):
    folder = place / "export"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    shapes = []
    for number in range(20):
        Image.fromarray(rng.integers(0, 255, (5, 6), np.uint8)).save(folder / f"images/{number}.png")
        if number < 16:
            drawn = (polygon(), polygon("0,0;2,0;2,2;0,2", "Radius"))
            shapes.append(cvat_image(*drawn, name=f"{number}.png"))
    save(folder, *shapes)
    _, text, _ = start(folder, ROOT, hardware=CPU)
    config = yaml.safe_load(text)
    assert config["source"]["format"] == "cvat"
    assert config["source"]["cvat"]["images"].endswith("export/images")
    assert "20 images, 16 with labels" in text
    assert find_source(folder / "annotations.xml", []) == find_source(folder, [])


def test_masks_in_a_folder_per_case_are_one_png_a_class(place):
    draw(place / "mine")
    (place / "mine/labels").rename(place / "mine/masks")
    (place / "mine/cases.csv").unlink()
    assert find_source(place / "mine", [])["class_pngs"]["annotations"].endswith("masks/{case}/{class}.png")


def test_the_demos_phantoms_are_a_data_set_like_any_other(place):
    counts = {"train": 6, "val": 3, "test": 3, "unlabelled": 4}
    write_dataset(draw_phantoms(counts=counts, seed=0, height=64, width=64), place / "mine")
    config = yaml.safe_load(start(place / "mine", ROOT, hardware=CPU, preset="fast")[1])
    assert config["n"] == 6
    assert config["preset"] == "fast"
