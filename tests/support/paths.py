"""Where the checkout and the shared data are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
TINY_SAM = ROOT / "resources/tiny_sam.safetensors"
SHARED = ROOT.parent / "shared/data"
"""Real annotations and radiographs beside the checkout; tests that need them skip where they are missing."""
