"""A browser, and a small page with two images, two classes and the tiny SAM."""

import numpy as np
import pytest
from PIL import Image

from samcarry.annotate.cases import write_annotator
from samcarry.sam.checkpoints import load_sam
from support.model_pages import images, make_model
from support.paths import ROOT

CLASSES = ["Radius", "Ulna"]
SIZE = (120, 160)


@pytest.fixture(scope="session")
def tiny():
    return load_sam("tiny", ROOT / "resources/tiny_sam.safetensors")


def discs(seed):
    """An image with two bright discs, and their masks (2, height, width)."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    noise = np.random.default_rng(seed).integers(0, 20, SIZE)
    masks = np.stack([np.hypot(x - 45, y - 60) < 25, np.hypot(x - 115, y - 55 - seed) < 20])
    return (60 + 120 * masks.any(axis=0) + noise).astype(np.uint8), masks


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """A data set of two labelled and two unlabelled images."""
    folder = tmp_path_factory.mktemp("study")
    for kind in ("images", "labels"):
        (folder / kind).mkdir()
    for number, case in enumerate(("a", "b", "c", "d")):
        image, masks = discs(number)
        Image.fromarray(image).save(folder / "images" / f"{case}.png")
        if case in "ab":
            (folder / "labels" / case).mkdir()
            for name, mask in zip(CLASSES, masks, strict=True):
                Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "labels" / case / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def page_file(study, tiny, tmp_path_factory):
    """The page of cases c and d; c starts with a mask of Radius that is shifted."""
    path = tmp_path_factory.mktemp("page") / "annotate.html"
    _, masks = discs(2)
    start = np.stack([np.roll(masks[0], 9, axis=1), np.zeros(SIZE, bool)])
    write_annotator(
        path,
        ["c", "d"],
        {case: study / "images" / f"{case}.png" for case in "cd"},
        {"c": start},
        dataset="mine",
        task="task-1",
        classes=CLASSES,
        sam=tiny,
        window=None,
        text_masked=False,
        precision="float32",
    )
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A model file and its page."""
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def image_files(tmp_path_factory):
    """Images of all kinds that the page reads without loss."""
    return list(images(tmp_path_factory.mktemp("images")))
