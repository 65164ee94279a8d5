"""Time tuning of SAM against recomputing every trial, and compare the gains.

    python benchmarks/tuning.py
    python benchmarks/tuning.py --trials 200 --cases 3 --threads 1 --clock cpu
    python benchmarks/tuning.py --trials 200 --cases 18 --pruning 0.1

Cases are drawn phantoms. Their true masks, shifted and blurred, replace the probability maps of f_θ. The
baseline computes the same gains. In each trial, it reads probability maps, masks and embeddings from disk,
cleans the maps, and decodes one mask at a time with segment-anything's SamPredictor.
With --pruning, the study stops bad trials early (`tuning.pruning`), but the baseline scores all their cases.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from segment_anything import SamPredictor

ROOT = Path(__file__).parents[1]
sys.path.insert(1, str(ROOT / "scripts"))

from timing import CLOCKS

from samcarry.data.phantoms import CLASSES, draw_phantoms
from samcarry.evaluation.dice import dice
from samcarry.prompting.cleaning import CleaningSettings, clean
from samcarry.prompting.prompts import extract_prompts
from samcarry.runtime.processes import usable_cpus
from samcarry.sam.checkpoints import load_sam
from samcarry.sam.embedding import embed, open_embeddings, write_embeddings
from samcarry.storage.stacks import Stack, read_stack, write_stack
from samcarry.tuning.objective import read_cases
from samcarry.tuning.sam_objective import sam_objective
from samcarry.tuning.search_spaces import cleaning_of, sam_space
from samcarry.tuning.study import best, stopped, tune

SIZE = (192, 192)
FILES = ("probabilities.nii.gz", "masks.nii.gz", "embeddings.safetensors")


def degraded(mask, rng):
    """A probability map (times 255): the mask shifted and blurred, with stray spots."""
    moved = ndimage.shift(mask.astype(float), rng.normal(0, 2, 2))
    blurred = ndimage.gaussian_filter(moved, 2) + 0.15 * ndimage.gaussian_filter(rng.normal(0, 8, SIZE), 4)
    return (255 * blurred.clip(0, 1)).astype(np.uint8)


def draw_shard(folder, count, sam):
    """Write probability maps, masks and embeddings of `count` phantoms, one shard of each."""
    rng = np.random.default_rng(0)
    names, maps, masks, embeddings = [], [], [], []
    for phantom in draw_phantoms(counts={"val": count}, seed=0, height=SIZE[0], width=SIZE[1]):
        truth = [phantom.masks.get(name, np.zeros(SIZE, dtype=bool)) for name in CLASSES]
        names.append(phantom.case)
        maps.append([degraded(mask, rng) for mask in truth])
        masks.append(truth)
        embeddings.append(embed(sam, phantom.image))
    for file, kind, values in zip(FILES, ("probability", "mask"), (maps, masks), strict=False):
        stack = Stack(np.array(values).astype(np.uint8), kind, tuple(names), CLASSES)
        write_stack(folder / file, stack)
    write_embeddings(folder / FILES[2], names, embeddings, {})


def decode_prompt(predictor, prompt, kind, logits=None):
    """Mask and low-resolution logits for one prompt."""
    parts = kind.split("+")
    box = np.array(prompt.box) if "box" in parts else None
    points = labels = None
    if "pos" in parts:
        negative = prompt.negative if "neg" in parts else ()
        points, labels = np.array([prompt.positive, *negative]), np.array([1] + [0] * len(negative))
    mask, _, found = predictor.predict(points, labels, box, mask_input=logits, multimask_output=False)
    return mask[0], found


def gain_from_disk(folder, sam, settings):
    """The gain of one trial, with everything read and computed from scratch."""
    maps, masks = read_stack(folder / FILES[0]), read_stack(folder / FILES[1])
    predictor = SamPredictor(sam)
    gains = []
    with open_embeddings(folder / FILES[2]) as embedding_of:
        for index, case in enumerate(maps.cases):
            predictor.is_image_set = True
            predictor.features = embedding_of(case).float()[None].to(sam.device)
            predictor.original_size = SIZE
            side = sam.image_encoder.img_size
            predictor.input_size = predictor.transform.get_preprocess_shape(*SIZE, side)
            prompts = extract_prompts(clean(maps.values[index], cleaning_of(settings)))
            for place, prompt in enumerate(prompts):
                redrawn = np.zeros(SIZE, dtype=bool)
                if prompt is not None:
                    redrawn, logits = decode_prompt(predictor, prompt, settings["first"])
                    if settings["second"] is not None:
                        redrawn, _ = decode_prompt(predictor, prompt, settings["second"], logits)
                reference = masks.masks[index, place]
                if reference.any():
                    gains.append(dice(reference, redrawn) - dice(reference, maps.masks[index, place]))
    return float(np.mean(gains))


def main():
    """Run both and print the times and the largest difference of a gain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0, help="of the study")
    parser.add_argument("--pruning", type=float, help="p value; not set: every trial scores all cases")
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--clock", default="wall", choices=sorted(CLOCKS))
    arguments = parser.parse_args()
    now = CLOCKS[arguments.clock]
    torch.set_num_threads(arguments.threads)
    sam = load_sam("tiny", ROOT / "resources/tiny_sam.safetensors")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_shard(folder, arguments.cases, sam)
        began = now()
        cases = read_cases([str(folder / FILES[0])], [str(folder / FILES[1])])
        with open_embeddings(folder / FILES[2]) as embedding_of:
            embeddings = [embedding_of(case.name) for case in cases]
        space = sam_space(CleaningSettings("dilation", "square", 2), "box", "pos+neg", 8)
        gain = sam_objective(sam, cases, embeddings, threads=arguments.threads)
        trials, seed = arguments.trials, arguments.seed
        tried = tune(folder / "journal", "benchmark", space, gain, trials, seed, arguments.pruning)
        ours = now() - began
        began = now()
        recomputed = [gain_from_disk(folder, sam, trial.settings) for trial in tried]
        theirs = now() - began
    pairs = zip(tried, recomputed, strict=True)
    apart = max(abs(trial.gain - other) for trial, other in pairs if trial not in stopped(tried))
    different = len({tuple(trial.settings.items()) for trial in tried})
    print(
        f"{len(tried)} trials ({different} different settings, {len(stopped(tried))} stopped) "
        f"on {arguments.cases} cases"
    )
    print(
        f"study {ours:.1f} s, every trial recomputed with SamPredictor {theirs:.1f} s, "
        f"{theirs / ours:.1f} times as long"
    )
    print(
        f"largest difference of a gain: {100 * apart:.4f} points of Dice; "
        f"best gain: {100 * best(tried).gain:+.2f}"
    )


if __name__ == "__main__":
    main()
