"""samcarry predict as a user calls it, from a folder of images to masks."""

import json
import os
import signal as signals
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from samcarry.cli import main
from samcarry.formats.cvat import read_cvat
from samcarry.images.grey import image_size
from samcarry.images.masks import read_mask
from samcarry.images.preparation import preparation
from samcarry.images.training_look import measure_look
from samcarry.networks.unet import UNet, load_unet, save_unet
from support.paths import SCRIPTS

SIZES = {"a.png": (31, 50), "b.jpg": (64, 20), "c.tif": (17, 17)}  # width, height


@pytest.fixture
def given(tmp_path):
    """A folder with a model whose every pixel is of the first class, and three images."""
    torch.manual_seed(0)
    network = UNet(2, width=4, depth=2)
    network.head.weight.data.zero_()
    network.head.bias.data = torch.tensor([9.0, -9.0])
    metadata = {"classes": ["all", "none"], "size": [16, 32], "mean": 0.5, "std": 0.25}
    metadata["preparation"] = preparation(None)
    save_unet(tmp_path / "m.safetensors", network, metadata)
    (tmp_path / "images").mkdir()
    for name, size in SIZES.items():
        Image.new("L", size, 90).save(tmp_path / "images" / name)
    return tmp_path


def call(folder, *options):
    paths = [str(folder / name) for name in ("m.safetensors", "images", "out")]
    return main(["predict", *paths, "--device", "cpu", *options])


def test_all_formats_from_another_working_directory(given):
    command = [sys.executable, "-m", "samcarry", "predict", "m.safetensors", "images", "out"]
    formats = [
        "--formats",
        "png",
        "labelmap",
        "nifti",
        "coco",
        "cvat",
        "yolo",
        "segnrrd",
        "nnunet",
        "dicomseg",
        "overlay",
    ]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"}
    outcome = subprocess.run([*command, *formats], cwd=given, env=environment, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    assert "NumExpr" not in outcome.stderr
    for name, (width, height) in SIZES.items():
        case = Path(name).stem
        np.testing.assert_array_equal(
            read_mask(given / f"out/masks/{case}/all.png"), np.ones((height, width))
        )
        assert not (given / f"out/masks/{case}/none.png").exists()
        assert image_size(given / f"out/labelmaps/{case}.png") == (height, width)
        shown = image_size(given / f"out/overlays/{case}.png")
        assert shown[0] > height  # by the legend
        assert shown[1] >= width
        assert (given / f"out/nifti/{case}.nii.gz").exists()
    coco = json.loads((given / "out/coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == list(SIZES)
    assert [image.name for image in read_cvat(given / "out/annotations.xml")] == list(SIZES)
    assert "no DICOM SEG was written for images that are not DICOM: a, b, c" in outcome.stderr
    assert not list((given / "out").glob(".*"))


def test_masks_and_overlays_are_the_default(given):
    assert call(given) == 0
    made = sorted(path.name for path in (given / "out").iterdir())
    assert made == ["classes.csv", "images.csv", "masks", "measurements.csv", "overlays", "predict.json"]


def test_bad_images_are_listed_at_the_end_and_the_others_predicted(given, capsys):
    (given / "images/bad.png").write_bytes(b"not an image")
    (given / "images/bad.dcm").write_bytes(b"not an image")
    assert call(given) == 1
    messages = capsys.readouterr().err
    assert "2 left out" in messages
    assert "bad.png" in messages
    assert "bad.dcm" in messages
    assert len(list((given / "out/masks").iterdir())) == 3


def test_without_a_readable_image_nothing_is_written(given, capsys):
    for name in SIZES:
        (given / "images" / name).write_bytes(b"not an image")
    assert call(given) == 1
    assert "none of the images can be predicted" in capsys.readouterr().err
    assert sorted(path.name for path in given.iterdir()) == ["images", "m.safetensors"]


def test_an_earlier_result_is_replaced_only_on_request(given, capsys):
    assert call(given) == 0
    (given / "images/c.tif").unlink()
    assert call(given) == 1
    assert "already exists" in capsys.readouterr().err
    assert (given / "out/masks/c").exists()
    assert call(given, "--overwrite") == 0
    assert not (given / "out/masks/c").exists()


def test_a_folder_that_samcarry_did_not_make_is_never_replaced(given, capsys):
    (given / "out").mkdir()
    (given / "out/thesis.txt").write_text("mine")
    assert call(given, "--overwrite") == 1
    assert "was not made by samcarry predict" in capsys.readouterr().err
    assert (given / "out/thesis.txt").read_text() == "mine"


def test_a_missing_model_is_one_line(given, capsys):
    (given / "m.safetensors").unlink()
    assert call(given) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_message_for_a_damaged_model_file_says_to_copy_it_again(given, capsys):
    path = given / "m.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    assert call(given) == 1
    message = capsys.readouterr().err
    assert "Copy it again from where it was trained" in message
    assert "snakemake" not in message


def test_a_caller_keeps_its_own_handler_of_signals(given):
    before = signals.getsignal(signals.SIGTERM)
    assert call(given / "nowhere") == 1
    assert signals.getsignal(signals.SIGTERM) is before


def _restore_ctrl_c():
    """Undo that a shell ignores Ctrl+C in background jobs, as these tests may be."""
    signals.signal(signals.SIGINT, signals.SIG_DFL)


def command(*options, umask=0o022):
    """The command and what it needs, for subprocess."""
    given = [sys.executable, "-m", "samcarry", "predict", "m.safetensors", "images", "out", "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"}
    return {
        "args": [*given, *options],
        "env": environment,
        "stderr": subprocess.PIPE,
        "text": True,
        "umask": umask,
        "preexec_fn": _restore_ctrl_c,
    }


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_run_that_is_stopped_goes_on_with_the_same_command(given, signal):
    for number in range(100):
        Image.new("L", (400, 400), 90).save(given / f"images/{number}.png", compress_level=0)
    with subprocess.Popen(cwd=given, **command("--formats", "png", "coco")) as process:
        deadline = time.monotonic() + 60
        while len(list(given.glob("out.unfinished/*/records/*.json"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(getattr(signals, signal))
        _, messages = process.communicate(timeout=60)
    assert process.returncode in (130, 143, -9)
    assert sorted(path.name for path in given.iterdir()) == ["images", "m.safetensors", "out.unfinished"]
    if signal != "SIGKILL":
        assert "the same command goes on there" in messages
    outcome = subprocess.run(cwd=given, check=False, **command("--formats", "png", "coco"))
    assert outcome.returncode == 0, outcome.stderr
    assert "of 103 images are finished already" in outcome.stderr
    assert sorted(path.name for path in given.iterdir()) == ["images", "m.safetensors", "out"]
    names = [image["file_name"] for image in json.loads((given / "out/coco.json").read_text())["images"]]
    assert sorted(names) == sorted(path.name for path in (given / "images").iterdir())
    assert not list((given / "out").rglob(".*"))


@pytest.mark.parametrize(
    ("umask", "folder_mode", "file_mode"), [(0o077, 0o700, 0o600), (0o022, 0o755, 0o644)]
)
def test_results_are_as_open_to_others_as_the_umask_says(given, umask, folder_mode, file_mode):
    formats = ["png", "labelmap", "nifti", "coco", "cvat", "yolo", "segnrrd", "nnunet", "overlay"]
    outcome = subprocess.run(cwd=given, check=False, **command("--formats", *formats, umask=umask))
    assert outcome.returncode == 0, outcome.stderr
    for path in [given / "out", *(given / "out").rglob("*")]:
        assert path.stat().st_mode & 0o777 == (folder_mode if path.is_dir() else file_mode), path


def write_mirrored_model(folder):
    network, metadata = load_unet(folder / "m.safetensors")
    save_unet(folder / "m.safetensors", network, {**metadata, "preparation": preparation("right")})


def test_a_model_with_mirrored_images_asks_for_the_sides(given, capsys):
    write_mirrored_model(given)
    assert call(given) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "--laterality" in message
    assert call(given, "--laterality", "left") == 0


def test_images_without_a_side_are_listed_and_nothing_is_written(given, capsys):
    write_mirrored_model(given)
    assert call(given, "--laterality", "pattern:(a)") == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0].rpartition("/")[2] for line in lines if "not known" in line] == list(SIZES)
    assert sorted(path.name for path in given.iterdir()) == ["images", "m.safetensors"]


def test_refused_images_make_the_exit_status_1(given, capsys):
    network, metadata = load_unet(given / "m.safetensors")
    known = np.random.default_rng(0).integers(0, 256, (8, 16, 32), np.uint8)
    save_unet(given / "m.safetensors", network, {**metadata, "training_look": measure_look([known])})
    assert call(given, "--unlike", "refuse") == 1
    assert "a.png: " in capsys.readouterr().err
    assert not (given / "out").exists()
    assert call(given) == 0
    messages = capsys.readouterr().err
    assert messages.count("its masks may be wrong") == 3
    assert "it is blank" in messages


def test_a_single_image_with_the_size_of_its_pixels_and_measurements(given):
    (given / "m.yaml").write_text("measurements: {tilt: {between: [axis of all, vertical]}}")
    paths = [str(given / name) for name in ("m.safetensors", "images/a.png", "out")]
    options = ["--spacing", "0.5", "--measurements", str(given / "m.yaml"), "--threads", "1"]
    assert main(["predict", *paths, "--device", "cpu", *options]) == 0
    header, *rows = (given / "out/measurements.csv").read_text().splitlines()
    assert "length_mm" in header
    assert "tilt_deg" in header
    assert len(rows) == 3
    values = dict(zip(header.split(","), rows[0].split(","), strict=True))
    assert (values["length_mm"], values["width_mm"], values["area_mm2"]) == ("25.00", "15.50", "387.50")


@pytest.mark.parametrize(
    "options", [["--threads", "0"], ["--threads", "many"], ["--spacing", "1", "2", "3"], ["--spacing", "x"]]
)
def test_wrong_numbers_are_refused(given, capsys, options):
    with pytest.raises(SystemExit):
        call(given, *options)
    assert options[0] in capsys.readouterr().err


def test_the_command_lets_waiting_threads_sleep(given):
    code = "import os, sys; from samcarry.cli import main; main(sys.argv[1:]); "
    code += "print(os.environ['OMP_WAIT_POLICY'])"
    arguments = ["predict", "m.safetensors", "images", "out", "--device", "cpu"]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"}
    outcome = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=given, env=environment, capture_output=True, text=True
    )
    assert outcome.stdout.strip() == "PASSIVE", outcome.stderr
