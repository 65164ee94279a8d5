"""Paths of the checkout and of shared data."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
TINY_SAM = ROOT / "resources/tiny_sam.safetensors"
SHARED = ROOT.parent / "shared/data"
"""Real annotations and radiographs next to the checkout; tests that need them are skipped without them."""
