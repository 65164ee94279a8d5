r"""Count the clicks that masks take on the annotation page, against the corners of polygons.

    python benchmarks/clicks.py data/teeth --cases 5
    python benchmarks/clicks.py results/demo/phantom \
        --refined results/demo/n8/seed0/refined/unlabelled-0000.nii.gz

The robot is at the page itself, in a headless Chromium. It clicks on the deepest point of the largest error.
Where the mask is far off or missing, it begins with a box around the object, which counts as one action.
`--refined` gives masks R to start from; without it, the robot starts from nothing.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path[1:1] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from samcarry.annotate.cases import write_annotator
from samcarry.data.contract import find_images
from samcarry.images.masks import read_mask
from samcarry.sam.checkpoints import load_sam
from samcarry.storage.stacks import read_header, read_shards
from support.browser import Annotator, launch, open_page
from support.robot_annotator import correct, polygon_corners

GOALS = (0.9, 0.95)


def actions_until(course: list[float], goal: float, most: int) -> int:
    """Actions until a Dice is reached; one more than `most` if it never is."""
    return next((count for count, dice in enumerate(course) if dice >= goal), most + 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="a data set with images/ and labels/")
    parser.add_argument("--refined", nargs="*", default=[], help="stacks of R to start from")
    parser.add_argument("--only", nargs="*", help="names of cases; the default is the first ones with labels")
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--most", type=int, default=10, help="actions per class")
    parser.add_argument("--every", type=int, default=1, help="take every n-th class")
    parser.add_argument("--sam", default="tiny")
    parser.add_argument("--file", type=Path, help="checkpoint; the default is in resources/")
    arguments = parser.parse_args()

    images = find_images(arguments.data / "images", [], [])
    classes = sorted({file.stem for file in (arguments.data / "labels").glob("*/*.png")})[:: arguments.every]
    labelled = {path.name for path in (arguments.data / "labels").iterdir() if path.is_dir()}
    start = {}
    if arguments.refined:
        known = read_header(arguments.refined[0]).classes
        found = read_shards(arguments.refined, sorted(labelled), known)
        start = {case: masks[[known.index(name) for name in classes]] for case, masks in found.items()}
    chosen = arguments.only or sorted(labelled & set(start or labelled) & set(images))[: arguments.cases]
    file = arguments.file or ROOT / f"resources/{arguments.sam}_sam.safetensors"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = Path(folder) / "annotate.html"
        write_annotator(
            page,
            chosen,
            images,
            start,
            dataset=arguments.data.name,
            task="clicks",
            classes=classes,
            sam=load_sam(arguments.sam, file),
            window=None,
            text_masked=False,
            precision="float32",
        )
        print(f"page of {len(chosen)} cases: {page.stat().st_size / 1e6:.1f} MB")
        browser = launch(playwright)
        begun = time.monotonic()
        annotator = Annotator(open_page(browser, page))
        print(f"opened in {time.monotonic() - begun:.1f} s")
        courses, corners, answers = [], [], []
        for number, case in enumerate(chosen):
            annotator.page.evaluate("number => samcarry.app.showCase(number)", number)
            for name in classes:
                label = arguments.data / f"labels/{case}/{name}.png"
                if not label.is_file() or not (truth := read_mask(label)).any():
                    continue
                courses.append(correct(annotator, name, truth, most=arguments.most, enough=max(GOALS)))
                corners.append([polygon_corners(truth, goal) for goal in GOALS])
                answers.append(annotator.page.evaluate("samcarry.app.lastTook ?? NaN"))
            print(f"{case}: {len(courses)} objects so far", flush=True)
        memory = annotator.page.evaluate("performance.memory?.usedJSHeapSize ?? NaN")
        browser.close()
    report(courses, np.array(corners), answers, arguments.most)
    print(f"memory of the page's own objects: {memory / 1e6:.0f} MB")


def report(courses: list[list[float]], corners: np.ndarray, answers: list[float], most: int) -> None:
    """Print the table."""
    print(f"{len(courses)} objects; an answer takes {np.nanmedian(answers):.0f} ms (median)")
    for count in range(most + 1):
        mean = np.mean([course[min(count, len(course) - 1)] for course in courses])
        print(f"  Dice after {count:2d} actions: {mean:.3f}")
    for place, goal in enumerate(GOALS):
        needed = np.array([actions_until(course, goal, most) for course in courses])
        failed = (needed > most).mean()
        print(
            f"  to a Dice of {goal}: {needed.mean():.1f} actions on average (median {np.median(needed):.0f}; "
            f"{failed:.0%} not within {most}), polygon: {corners[:, place].mean():.1f} corners"
        )


if __name__ == "__main__":
    main()
