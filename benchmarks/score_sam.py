"""Score a SAM against the bare box: Dice of masks from jittered boxes and points.

    python benchmarks/score_sam.py
    python benchmarks/score_sam.py --data results/demo/phantom 96 96 test --data ../teeth 224 384 val

Each --data names a folder with images/, labels/ and cases.csv, the height and width to which its images are
resized, and the split to score. The last column is the error (1 - Dice) of masks from boxes, relative to the
error of the box itself as the mask. Below 1, the model improves on the box.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from samcarry.data.cases import find_cases
from samcarry.data.user_files import find_label_files
from samcarry.errors import raise_faults
from samcarry.images.grey import read_grey, resize_grey
from samcarry.images.masks import read_mask, resize_mask
from samcarry.runtime.processes import usable_cpus
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.tiny.scenes import Scene
from samcarry.sam.tiny.scores import score, score_on_scenes
from samcarry.storage.files import sha256


def read_scenes(folder: str, height: int, width: int, split: str, most: int) -> list[Scene]:
    """The labelled cases of one split, resized like prepared images."""
    cases, _ = find_cases(folder)
    scenes, faults = [], []
    for case in [case for case in cases if case.split == split][:most]:
        image = resize_grey(read_grey(case.image), height, width)
        files = find_label_files(case.labels, faults).values() if case.labels else []
        raise_faults(faults)
        masks = [resize_mask(read_mask(file), height, width) for file in files]
        present = [mask for mask in masks if mask.any()]
        if present:
            scenes.append(Scene(image, np.stack(present)))
    return scenes


def main() -> None:
    """Score one checkpoint on drawn scenes and on the given data sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--file", default="resources/tiny_sam.safetensors")
    parser.add_argument(
        "--sigma", type=float, default=0.05, help="jitter of a box side, relative to the extent of the box"
    )
    parser.add_argument("--most", type=int, default=1000, help="largest number of cases per data set")
    parser.add_argument(
        "--data", nargs=4, action="append", default=[], metavar=("FOLDER", "HEIGHT", "WIDTH", "SPLIT")
    )
    arguments = parser.parse_args()
    torch.set_num_threads(usable_cpus())
    sam = load_sam(arguments.model, arguments.file)
    print(f"{arguments.file} {sha256(arguments.file)}, boxes moved by {arguments.sigma:.0%}")
    results = {"drawn scenes (held out)": score_on_scenes(sam)}
    for folder, height, width, split in arguments.data:
        scenes = read_scenes(folder, int(height), int(width), split, arguments.most)
        masks = sum(len(scene.masks) for scene in scenes)
        name = f"{folder} {split}, {len(scenes)} images, {masks} masks, {height}x{width}"
        results[name] = score(sam, scenes, arguments.sigma)
    for name, values in results.items():
        ratio = (1 - values["box"]) / (1 - values["bare_box"])
        print(f"{name}: {values}, error relative to the bare box {ratio:.2f}")


if __name__ == "__main__":
    main()
