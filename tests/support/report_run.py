"""The files of a small finished run, and a parser for the HTML pages made from them."""

import warnings
from html.parser import HTMLParser

import numpy as np
import pandas as pd
from PIL import Image

from samcarry.data.manifest import ManifestRow, write_manifest
from samcarry.evaluation.agreement import agreement_table
from samcarry.evaluation.detection import detection_table
from samcarry.evaluation.scores import dice_rows, write_dice
from samcarry.evaluation.significance import all_pairs, compare
from samcarry.evaluation.summary import read_dice, summarise_classes, summarise_groups
from samcarry.evaluation.table1 import tabulate, write_statistics
from samcarry.prompting.prompts import extract_prompts, write_prompts
from samcarry.report.page import Study
from samcarry.storage.stacks import Stack, write_stack

CLASSES = ["<b>Ulna</b>", 'Os "x" & y']
TEST = [f"t{index}" for index in range(8)]
UNLABELLED = ["u<script>", "u2"]
CONFIG = {"dataset": "demo", "source": {"format": "phantom"}}
STUDY = Study(dataset="demo", size=(24, 16), sam="tiny", sam_is_tiny=True, images_are_drawn=True, margin=2)
MADE_BY = {"rule": "predict", "params": {"code": "abc123"}, "versions": {"torch": "2.14"}}


def trace(method):
    """The steps from a score of a method back to its origin."""
    return [("A row is the mean of dice.csv", f"results/demo/n5/seed0/dice/{method}.csv")]


class Page(HTMLParser):
    """The tags of a page with their attributes, and its visible text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)
        self.text = " ".join(self.words)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] not in ("style", "script"):
            self.words.append(data.strip())

    def all(self, name, /, **wanted):
        """Attributes of the tags with this name and these attribute values."""
        found = [attributes for tag, attributes in self.tags if tag == name]
        return [one for one in found if all(one.get(key) == value for key, value in wanted.items())]


def masks(cases, seed):
    """Masks (case, class, height, width): the first class at random positions, the second one empty."""
    values = np.zeros((len(cases), 2, 24, 16), np.uint8)
    shift = np.random.default_rng(seed).integers(0, 4, len(cases))
    for place, by in enumerate(shift):
        values[place, 0, 4 + by : 14 + by, 3:10] = 1
    return values


def scored(predicted, method):
    """Rows of dice.csv for the masks of a method."""
    names = {"dataset": "demo", "n": 5, "seed": 0, "method": method}
    with warnings.catch_warnings():  # surface_distance uses old names of SciPy
        warnings.filterwarnings("ignore", "Please import .* from the `scipy.ndimage`", DeprecationWarning)
        return dice_rows(masks(TEST, 0) > 0, predicted > 0, TEST, CLASSES, tolerance=1.0, **names)


def write_run(folder):
    """Write the files of a run with eight test and two unlabelled cases and three methods.

    Returns:
        {kind: paths}, as expected by `read_report`; `benchmarks` is a folder.
    """

    def stack(name, values, kind, cases):
        classes = tuple(CLASSES) if kind == "mask" else ()
        write_stack(folder / f"{name}.nii.gz", Stack(values, kind, tuple(cases), classes, MADE_BY))

    for prefix, cases in (("", TEST), ("unlabelled_", UNLABELLED)):
        stack(f"{prefix}images", np.full((len(cases), 24, 16), 99, np.uint8), "image", cases)
        for seed, name in enumerate(("masks", "unet", "cleaned", "unet_sam", "ours_r")):
            stack(prefix + name, masks(cases, seed), "mask", cases)
        prompts = {c: extract_prompts(m > 0) for c, m in zip(cases, masks(cases, 2), strict=True)}
        write_prompts(folder / f"{prefix}prompts.json", prompts, CLASSES)
    rows = []
    for seed, method in ((1, "unet"), (3, "unet_sam"), (4, "ours_r")):
        rows += scored(masks(TEST, seed), method)
    write_dice(folder / "dice.csv", rows)
    table = read_dice(folder / "dice.csv")
    methods = ["unet", "unet_sam", "ours_r"]
    note = {"unet_sam": "a note with <i>tags</i>"}
    missing = {"unet_full": "no labels"}
    write_statistics(folder / "table1.csv", tabulate(table, methods, missing=missing, notes=note, paper={}))
    differences = compare(table, all_pairs(methods), primary=("ours_r", "unet"), margin=2)
    write_statistics(folder / "differences.csv", differences)
    write_statistics(folder / "per_class.csv", summarise_classes(table, methods))
    groups = {case: "<north>" if case < "t4" else "" for case in TEST}
    write_statistics(folder / "per_group.csv", summarise_groups(table, methods, groups))
    write_statistics(folder / "detection.csv", detection_table(table, methods))
    write_statistics(folder / "agreement.csv", agreement_table(table, methods))
    write_manifest(
        folder / "manifest.csv",
        [ManifestRow(case, "test-0000", "test", case, None, "i", "l", (CLASSES[0],)) for case in TEST]
        + [
            ManifestRow(case, "unlabelled-0000", "unlabelled", case, None, "i", "", ()) for case in UNLABELLED
        ],
    )
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    (folder / "sam.yaml").write_text("# found <here>\ncleaning: {radius: 3}\n")
    pd.DataFrame({"question": ["first pass"], "answer": ["box"], "best": [2.5]}).to_csv(
        folder / "answers.csv", index=False
    )
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks/embed.tsv").write_text("s\tmax_rss\tcpu_time\n75\t640\t70\n")
    Image.new("RGB", (2400, 30)).save(folder / "picture.png")
    found = {path.name.split(".")[0]: [str(path)] for path in folder.iterdir() if path.is_file()}
    pictures = {name: [str(folder / "picture.png")] for name in ("ranks", "ablation", "training", "tuning")}
    lists = {
        "qualitative": [str(folder / "picture.png")] * 3,
        "tuned": [str(folder / "sam.yaml")],
        "benchmarks": [str(folder / "benchmarks")],
    }
    return {**found, **pictures, **lists}
