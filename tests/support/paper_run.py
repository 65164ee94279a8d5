"""The data of a small run for the folder of a paper: six patients, sizes of X^n in draws, two readers."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from samcarry.data.manifest import ManifestRow, write_manifest
from samcarry.paper.folder import Run, Size
from support.paths import ROOT

CLASSES = ("radius", "ulna")
TEST = tuple(f"t{number}" for number in range(12))
HEAD = (
    *("dataset", "n", "seed", "method", "case", "class", "reference_px", "predicted_px", "dice"),
    *("hd95_px", "surface_dice", "centre_px", "probability"),
)


def write_scores(path, n, draw=1, methods=("unet", "unet_sam", "ours_r"), seeds=(0, 1), cases=TEST):
    """A dice.csv in which more labels and SAM help."""
    rng = np.random.default_rng([n, draw])
    rows = []
    for method, bonus in zip(methods, (0.0, 0.05, 0.1), strict=False):
        for seed in seeds:
            training = 0.02 * rng.standard_normal()
            for place, case in enumerate(cases):
                for name in CLASSES:
                    error = 0.5 * n**-0.4 * (1 + place / 30) + training + 0.01 * rng.standard_normal()
                    dice = min(1.0, max(0.0, 1 - error + bonus))
                    rows.append(
                        (
                            "demo",
                            n,
                            seed,
                            method,
                            case,
                            name,
                            90,
                            88,
                            f"{dice:.6f}",
                            "2.5",
                            "0.9",
                            "0.5",
                            "0.8",
                        )
                    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([HEAD, *rows])


def make_run(folder, **changes):
    """A run whose files are in `folder`; `changes` replace its attributes."""
    folder = Path(folder)
    write_scores(folder / "dice.csv", 8)
    sizes = []
    for n in (2, 4, 8):
        for draw in (1, 2, 3) if n < 8 else (1,):
            write_scores(folder / f"n{n}-{draw}.csv", n, draw)
            sizes.append(Size(n, draw, folder / f"n{n}-{draw}.csv"))
    rows = [
        ManifestRow(case, "test-0000", "test", f"p{int(case[1:]) // 2}", None, "i", "l", CLASSES)
        for case in TEST
    ]
    rows += [
        ManifestRow(f"a{place}", "train-0000", "train", f"q{place}", place, "i", "l", CLASSES)
        for place in range(8)
    ]
    rows += [
        ManifestRow(f"u{place}", "unlabelled-0000", "unlabelled", f"r{place}", None, "i", "", ())
        for place in range(5)
    ]
    write_manifest(folder / "manifest.csv", rows)
    (folder / "training.csv").write_text(
        "iteration,loss\n" + "".join(f"{i},{1 / (i + 1)}\n" for i in range(9))
    )
    readings = "".join(
        f"{case},{name},2,0.9{place % 10}0000\n" for place, case in enumerate(TEST) for name in CLASSES
    )
    (folder / "readers.csv").write_text("case,class,readers,dice\n" + readings)
    (folder / "left_out.csv").write_text("reason,images\nunreadable,3\na copy,1\n")
    Image.new("RGB", (30, 20)).save(folder / "ranks.png")
    given = {
        "manifest": folder / "manifest.csv",
        "dice": folder / "dice.csv",
        "classes": CLASSES,
        "curves": {"unet": [folder / "training.csv"]},
        "sizes": sizes,
        "readers": folder / "readers.csv",
        "left_out": [folder / "left_out.csv"],
        "figures": {"ranks": folder / "ranks.png"},
        "settings": {
            **{"dataset": "demo", "n": "8", "seeds": "0, 1", "images.height": "96", "images.width": "80"},
            **{"training.iterations": "900", "training.width": "8", "training.depth": "4"},
            **{"training.learning_rate": "0.02", "training.max_positive_weight": "2"},
            **{"cleaning.operation": "dilation", "cleaning.element": "square", "cleaning.radius": "2"},
            **{"sam.model": "tiny", "sam.architecture": "tiny", "sam.first": "box", "sam.second": "pos+neg"},
            **{"evaluation.margin": "2", "evaluation.at": "network", "evaluation.surface_tolerance": "1"},
            **{"version.samcarry": "0.1.0", "version.torch": "2.14", "tuning.trials": "0"},
        },
        "evaluation": {
            "methods": ["unet", "unet_sam", "ours_r"],
            "notes": {"unet_sam": "a note"},
            "paper": None,
            "primary": ["ours_r", "unet"],
            "margin": 2,
            "ablation_methods": ["unet", "ours_r"],
            "drawn_methods": ["unet", "ours_r"],
            "images_are_drawn": True,
        },
        "packages": ["torch"],
        "workflow": ROOT / "Snakefile",
        "sbom": {"bomFormat": "CycloneDX"},
    }
    return Run(**{**given, **changes})
