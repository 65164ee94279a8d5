"""Draw docs/annotating.png: the annotation page at work on a drawn radiograph, as a film strip.

    .venv/bin/python tools/draw_annotating.py

It is not a rule of the workflow; its result is stored in docs/.
"""

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path[1:1] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from samcarry.annotate.cases import write_annotator
from samcarry.data.phantoms import draw_phantoms
from samcarry.images.grey import write_grey
from samcarry.sam.checkpoints import load_sam
from support.browser import Annotator, launch, open_page
from support.robot_annotator import shown_mask, worst_place

COUNTS = {"train": 1, "val": 0, "test": 0, "unlabelled": 1}
SIDE = 384  # pixels of the drawn radiographs
TILE = 640  # pixels of a picture in the strip
NAME = "stem"


def main() -> None:
    """Open the page, correct one mask with a box and a click, and put the pictures side by side."""
    phantom = next(iter(draw_phantoms(counts=COUNTS, seed=3, height=SIDE, width=SIDE)))
    classes = sorted(phantom.masks)
    masks = np.stack([phantom.masks[name] for name in classes])
    masks[classes.index(NAME)] = np.roll(masks[classes.index(NAME)], (-14, 12), (0, 1))
    pictures = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        image, page = Path(folder) / "p1.png", Path(folder) / "annotate.html"
        write_grey(image, phantom.image)
        write_annotator(
            page,
            ["p1"],
            {"p1": image},
            {"p1": masks},
            dataset="demo",
            task="task-1",
            classes=classes,
            sam=load_sam("tiny", ROOT / "resources/tiny_sam.safetensors"),
            window=None,
            text_masked=False,
            precision="float32",
        )
        browser = launch(playwright)
        annotator = Annotator(open_page(browser, page, 1280, 800))
        annotator.choose(NAME)
        x, y = np.nonzero(phantom.masks[NAME])[::-1]
        pictures.append(picture(annotator))
        corners = [(x.min(), y.min()), (x.mean(), y.mean()), (x.max() + 1, y.max() + 1)]
        annotator.waiting_for_sam(annotator.drag, *corners)
        pictures.append(picture(annotator))
        place = worst_place(shown_mask(annotator, NAME), phantom.masks[NAME])
        if place is not None:
            button = "left" if place[2] else "right"
            annotator.waiting_for_sam(annotator.click, place[0], place[1], button=button)
        pictures.append(picture(annotator))
        browser.close()
    strip = Image.new("RGB", (len(pictures) * (TILE + 8) - 8, pictures[0].height), "white")
    for index, tile in enumerate(pictures):
        strip.paste(tile, (index * (TILE + 8), 0))
    strip.quantize(128, dither=Image.Dither.NONE).save(ROOT / "docs/annotating.png", optimize=True)


def picture(annotator: Annotator) -> Image.Image:
    """The page as it is now."""
    annotator.page.wait_for_timeout(300)
    shot = Image.open(io.BytesIO(annotator.page.screenshot()))
    return shot.resize((TILE, round(shot.height * TILE / shot.width)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
