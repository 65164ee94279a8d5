"""Measure how the workflow scales with the number of images: jobs, dry-run time, and memory of each rule.

    python benchmarks/scale.py
    python benchmarks/scale.py --images 10000
    python benchmarks/scale.py --images 100 1000 --memory
    python benchmarks/scale.py --images 1000 10000 --memory --methods unet ours_p
    python benchmarks/scale.py --images 10000 --finished --runs 2
    python benchmarks/scale.py --images 100000 --simulated --shard-size 1024

Each study is written to a temporary folder. It has tiny images with 17 classes: 43 labelled images for
training, 10 for validation and 100 for testing (fewer in a study of a few hundred images); all other images
are unlabelled. The manifest is computed, and then the entire ablation is planned: n = 1, 5, 10, ..., 43,
three seeds and five methods.

With --memory, the main line also runs, with n = 43, one seed, only `unet_sam` and `ours_r` (or the methods
of --methods), and trainings of three iterations. The peak memory of each rule's jobs is printed: the resident
set size of their largest process.

With --finished, the study is planned once more with every result in place: empty files that `snakemake
--touch` has recorded, which takes a tenth of a second for each job. With --simulated, only the first 1,000
images are real, and the manifest is continued with empty files, because listing 100,000 images takes long.
"""

import argparse
import contextlib
import csv
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from samcarry.storage.checksums import write_checksums

ROOT = Path(__file__).parents[1]
CLASSES = 17
METHODS = ["unet", "unet_sam", "mean_teacher", "ours_p", "ours_r"]
LABELLED = {"train": 43, "val": 10, "test": 100}
TARGETS = ("all", "ablation")
REAL = 1000
"""How many images of a simulated study are real."""


def copy_workflow(folder: Path) -> None:
    """Copy what Snakemake needs, without results."""
    shutil.copy(ROOT / "Snakefile", folder)
    shutil.copy(ROOT / "config.yaml", folder)
    for name in ("workflow", "scripts", "tools", "envs", "profiles", "resources"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def configure(
    folder: Path, height: int, width: int, seeds: list[int], methods: list[str], shard_size: int = 256
) -> None:
    """Write the config of the study."""
    config = {
        "dataset": "big",
        "source": {"format": "folder", "folder": "data"},
        "images": {"height": height, "width": width},
        "shard_size": shard_size,
        "n": LABELLED["train"],
        "ablation": {"n": [1, *range(5, 43, 5)], "methods": methods},
        "seeds": seeds,
        "methods": methods,
        "training": {"width": 4, "depth": 2, "iterations": 3, "iterations_per_epoch": 1, "threads": 1},
    }
    (folder / "big.yaml").write_text(yaml.safe_dump(config))


def write_study(folder: Path, count: int, height: int, width: int) -> None:
    """Write images/, labels/ and cases.csv for `count` images."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    places = {**LABELLED, "test": min(LABELLED["test"], count // 4)}
    splits = [split for split, most in places.items() for _ in range(most)]
    splits += ["unlabelled"] * (count - len(splits))
    with (folder / "cases.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["case", "patient", "split"])
        for index, split in enumerate(splits):
            case = f"case{index:06d}"
            rows.writerow([case, case, split])
            noise = rng.normal(100, 20, (height, width)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noise).save(folder / "images" / f"{case}.png")
            if split != "unlabelled":
                write_labels(folder / "labels" / case, rng, height, width)


def write_labels(folder: Path, rng: np.random.Generator, height: int, width: int) -> None:
    """Write a rectangle for each class."""
    folder.mkdir(parents=True)
    for index in range(CLASSES):
        mask = np.zeros((height, width), dtype=np.uint8)
        row, column = rng.integers(0, height // 2), rng.integers(0, width // 2)
        mask[row : row + height // 3, column : column + width // 3] = 255
        Image.fromarray(mask).save(folder / f"bone{index:02d}.png")


def snakemake(
    folder: Path,
    *arguments: str,
    options: tuple[str, ...] = ("--cores", "2", "--configfile", "big.yaml"),
    check: bool = True,
) -> tuple[str, float, float]:
    """Run Snakemake in `folder`; return its output, wall seconds, and CPU seconds including its jobs."""
    command = [sys.executable, "-m", "snakemake", *arguments, *options]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if check and done.returncode != 0:
        sys.exit(done.stdout)
    return done.stdout, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def continue_manifest(folder: Path, count: int, shard_size: int) -> None:
    """Add unlabelled cases to the manifest, up to `count`, whose images are empty files."""
    place = Path("results/big/manifest.csv")
    with (folder / place).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    last = next(row for row in rows if row["split"] == "unlabelled")
    full = sum(row["split"] == "unlabelled" for row in rows)
    for number in range(len(rows), count):
        case, shard = f"case{number:06d}", f"unlabelled-{(full + number - REAL) // shard_size:04d}"
        rows.append({**last, "case": case, "patient": case, "shard": shard, "image": f"images/{case}.png"})
        (folder / "data/images" / f"{case}.png").touch()
    with (folder / place).open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(last), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    with contextlib.chdir(folder):
        write_checksums([place], place.parent)
    snakemake(folder, str(place), "--touch", "--forcerun", "list_cases")


def finish(folder: Path) -> None:
    """Make every result as an empty file, as Snakemake records it for a finished run."""
    summary, _, _ = snakemake(folder, *TARGETS, "--summary")
    for line in summary.splitlines():
        result = folder / line.split("\t")[0]
        if line.startswith("results/") and not result.exists():
            result.parent.mkdir(parents=True, exist_ok=True)
            result.touch()
    snakemake(
        folder, *TARGETS, "--touch", "--forceall", check=False
    )  # the summary is empty, which is reported


def jobs_in(output: str) -> int:
    """The total in Snakemake's table of jobs."""
    return next(int(line.split()[1]) for line in output.splitlines() if line.startswith("total "))


def count_shards(folder: Path) -> int:
    """The number of shards in the manifest."""
    with (folder / "results/big/manifest.csv").open(newline="", encoding="utf-8") as stream:
        return len({row["shard"] for row in csv.DictReader(stream)})


def peak_memory(folder: Path) -> dict[str, float]:
    """Peak memory of each rule's largest job, in MB."""
    peaks: dict[str, float] = defaultdict(float)
    for path in (folder / "results/big/benchmarks").rglob("*.tsv"):
        parts = path.relative_to(folder / "results/big/benchmarks").with_suffix("").parts
        rule = next(part for part in parts if part != "full" and part[:5] not in ("n43", "seed0"))
        with path.open(newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                peaks[rule] = max(peaks[rule], float(row["max_rss"]))
    return dict(peaks)


def plans(folder: Path, runs: int) -> list[tuple[str, float, float]]:
    """Output, wall seconds and CPU seconds of dry runs."""
    return [snakemake(folder, *TARGETS, "-n", "--quiet", "rules") for _ in range(runs)]


def main() -> None:
    """Plan a study of each size, and run it if --memory is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", nargs="+", type=int, default=[100, 1000])
    parser.add_argument("--size", nargs=2, type=int, default=[48, 32], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--runs", type=int, default=1, help="number of dry runs; the fastest one counts")
    parser.add_argument("--shard-size", type=int, default=256)
    parser.add_argument("--finished", action="store_true")
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument(
        "--methods", nargs="+", default=["unet_sam", "ours_r"], help="methods to run with --memory"
    )
    arguments = parser.parse_args()
    peaks = {}
    for count in arguments.images:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            copy_workflow(folder)
            configure(folder, *arguments.size, [0, 1, 2], METHODS, arguments.shard_size)
            real = min(count, REAL) if arguments.simulated else count
            write_study(folder / "data", real, *arguments.size)
            _, wall, cpu = snakemake(folder, "results/big/manifest.csv")
            print(f"{count} images: manifest of {real} {wall:.1f} s, {cpu:.1f} s of CPU time", flush=True)
            if real < count:
                continue_manifest(folder, count, arguments.shard_size)
            planned = plans(folder, arguments.runs)
            jobs, shards = jobs_in(planned[0][0]), count_shards(folder)
            print(
                f"{count} images: {shards} shards, {jobs} jobs ({jobs / shards:.0f} per shard), planned in "
                f"{min(p[1] for p in planned):.1f} s, {min(p[2] for p in planned):.1f} s of CPU time",
                flush=True,
            )
            if arguments.finished:
                finish(folder)
                cpu = min(plan[2] for plan in plans(folder, arguments.runs))
                print(f"{count} images: planned in {cpu:.1f} s of CPU time when finished", flush=True)
            if arguments.memory:
                configure(folder, *arguments.size, [0], arguments.methods, arguments.shard_size)
                _, wall, cpu = snakemake(folder, "all", "--quiet", "rules")
                print(f"{count} images: run in {wall:.0f} s, {cpu:.0f} s of CPU time", flush=True)
                peaks[count] = peak_memory(folder)
    for rule in sorted({rule for found in peaks.values() for rule in found}):
        print(f"{rule}: " + ", ".join(f"{found.get(rule, np.nan):.0f} MB" for found in peaks.values()))


if __name__ == "__main__":
    main()
