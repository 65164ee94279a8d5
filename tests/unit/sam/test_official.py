"""segment-anything's classes are imported without torchvision, and the rest of the package still works."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "scripts/samcarry"


def run(code):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_what_a_job_of_sam_imports_is_light():
    code = """
import samcarry.sam.checkpoints, samcarry.sam.embedding, samcarry.sam.refinement, samcarry.sam.zoom, sys
print({"torchvision", "torch._dynamo", "skimage", "transformers"} & set(sys.modules))
"""
    assert run(code) == "set()\n"


def test_the_package_itself_has_the_same_classes_and_all_others():
    code = """
from samcarry.sam.official import Sam
from segment_anything import SamPredictor, sam_model_registry
import segment_anything
print(segment_anything.modeling.Sam is Sam, segment_anything.SamPredictor is SamPredictor)
import pickle
print(pickle.loads(pickle.dumps(Sam)) is Sam, hasattr(segment_anything, "nothing"))
"""
    assert run(code) == "True True\nTrue False\n"


def test_a_package_that_is_imported_before_is_left_alone():
    code = """
import segment_anything
from samcarry.sam.official import Sam
print(segment_anything.modeling.Sam is Sam)
"""
    assert run(code) == "True\n"


def test_no_other_module_imports_the_package():
    others = [path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "sam/official.py"]
    assert [path.name for path in others if "import segment_anything" in path.read_text()] == []
    assert [path.name for path in others if "from segment_anything" in path.read_text()] == []
