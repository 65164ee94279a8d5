"""The public names of samcarry: light to import, documented by an example that runs."""

import doctest
import os
import subprocess
import sys

import pytest
from PIL import Image

import samcarry
from samcarry.pipeline.code_digest import modules_of
from samcarry.predict.arrays import predict_masks
from samcarry.predict.models import Model, load_model
from samcarry.predict.new_images import predict_folder
from support.paths import SCRIPTS
from support.tiny_models import save_tiny_model

HEAVY = ("torch", "numpy", "pandas", "matplotlib", "PIL", "onnxruntime")


def modules_after(code, folder):
    """The heavy modules that a new Python process has imported after running `code`."""
    code += f"\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"}
    outcome = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.splitlines()[-1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with the files that the example uses."""
    save_tiny_model(tmp_path / "model.safetensors")
    (tmp_path / "radiographs").mkdir()
    Image.new("L", (30, 20), 90).save(tmp_path / "radiographs/a.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_in_the_documentation_runs(folder):
    outcome = doctest.testmod(samcarry)
    assert outcome.attempted >= 6
    assert outcome.failed == 0
    assert (folder / "masks/masks/a").is_dir()
    assert (folder / "masks/coco.json").exists()


def test_the_public_names_are_those_of_their_modules():
    assert samcarry.load_model is load_model
    assert samcarry.Model is Model
    assert samcarry.predict_masks is predict_masks
    assert samcarry.predict_folder is predict_folder
    assert set(samcarry.__all__) <= set(dir(samcarry))


def test_every_public_name_is_documented():
    for name in set(samcarry.__all__) - {"__version__"}:
        assert getattr(samcarry, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        samcarry.train  # noqa: B018


def test_importing_samcarry_imports_nothing_heavy(tmp_path):
    assert modules_after("import samcarry; samcarry.__version__", tmp_path) == "[]"


def test_predicting_png_needs_neither_matplotlib_nor_pandas(folder):
    arguments = ["predict", "model.safetensors", "radiographs", "out", "--formats", "png", "--device", "cpu"]
    code = f"from samcarry.cli import main\nassert main({arguments}) == 0"
    assert modules_after(code, folder) == "['torch', 'numpy', 'PIL']"


def test_public_names_do_not_enlarge_the_code_digest_of_rules(tmp_path):
    (tmp_path / "script.py").write_text("from samcarry import __version__\n")
    assert modules_of(tmp_path / "script.py", SCRIPTS) == [SCRIPTS / "samcarry/__init__.py"]
