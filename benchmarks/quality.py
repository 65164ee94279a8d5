"""Quality per second: the Dice of each method, and the CPU minutes of everything that it needs.

    python benchmarks/quality.py results/demo/n8
    python benchmarks/quality.py ../study/results/wrist/n35 --folder ../study

The folder is that of one subset of a finished run, and the run is not repeated. Which jobs a method needs
follows from the inputs of its predictions, of their inputs, and so on, as Snakemake has recorded them in
.snakemake; the time of each job is in benchmarks/. A job that several methods need counts for each of them.
Evaluation does not count. Minutes and Dice are means over seeds; Dice is the mean over cases of dice.csv, as
in the summary.

A training that was resumed has measured its last part only: its time is multiplied by all iterations and
divided by those of this part. `~` marks methods with such a training.
"""

import argparse
import csv
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean

sys.path.insert(1, str(Path(__file__).parents[1] / "scripts"))

from samcarry.pipeline.ledger import record_path

RESUMED = re.compile(r"resuming at iteration (\d+) \((.+)/[^/]+\)")


def record(path: str, folder: Path) -> dict[str, list[str]]:
    """What Snakemake recorded about the job that made a file; empty for a file that no job made."""
    place = record_path(folder / ".snakemake/metadata", path)
    return json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}


def jobs_before(path: str, folder: Path) -> set[str]:
    """The logs of all jobs that a file depends on, without the job that made it."""
    waiting, seen, logs = list(record(path, folder).get("input", [])), set(), set()
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            made = record(file, folder)
            logs |= set(made.get("log", []))
            waiting += made.get("input", [])
    return logs


def seconds_of(log: str, folder: Path) -> tuple[float, bool]:
    """CPU seconds of the job with this log, and whether they are estimated from a part of a training."""
    root, rest = log.split("/logs/")
    table = folder / root / "benchmarks" / Path(rest).with_suffix(".tsv")
    with table.open(newline="", encoding="utf-8") as stream:
        seconds = float(next(csv.DictReader(stream, delimiter="\t"))["cpu_time"])
    resumed = RESUMED.search((folder / log).read_text(encoding="utf-8"))
    if not resumed:
        return seconds, False
    with (folder / resumed[2] / "training.csv").open(newline="", encoding="utf-8") as stream:
        last = int([row["iteration"] for row in csv.DictReader(stream)][-1])
    return seconds * last / max(1, last - int(resumed[1])), True


def scores_of(table: Path) -> dict[str, dict[str, float]]:
    """{method: {seed: mean Dice over cases in percent}}; the Dice of a case is the mean over its classes."""
    of_case: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    with table.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["dice"]:
                of_case[row["method"], row["seed"], row["case"]].append(float(row["dice"]))
    of_seed: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (method, seed, _), values in of_case.items():
        of_seed[method, seed].append(fmean(values))
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for (method, seed), values in of_seed.items():
        scores[method][seed] = 100 * fmean(values)
    return scores


def row_of(method: str, dice: float, files: list[str], folder: Path) -> str:
    """A row of the table: method, Dice, and CPU minutes, the mean over the files of its seeds."""
    of_seeds = [[seconds_of(log, folder) for log in jobs_before(file, folder)] for file in files]
    minutes = sum(seconds for jobs in of_seeds for seconds, _ in jobs) / len(files) / 60
    mark = "~" if any(estimated for jobs in of_seeds for _, estimated in jobs) else ""
    return f"| `{method}` | {dice:.1f} | {mark}{minutes:.1f} | {len(files)} |"


def main() -> None:
    """Print the table of one subset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("subset", type=Path, help="results/<dataset>/n<n> of a finished run")
    parser.add_argument("--folder", type=Path, default=Path(), help="where Snakemake ran; here by default")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    subset = arguments.subset.resolve()
    print("| method | Dice | CPU minutes | seeds |\n|---|---|---|---|")
    scores = scores_of(subset / "dice.csv")
    for method, of_seeds in sorted(scores.items(), key=lambda item: fmean(item[1].values())):
        # Full supervision does not depend on n.
        place = subset.parent / "full" if method == "unet_full" else subset
        files = [place / f"seed{seed}/dice/{method}.csv" for seed in of_seeds]
        names = [file.relative_to(folder).as_posix() for file in files]
        print(row_of(method, fmean(of_seeds.values()), names, folder))


if __name__ == "__main__":
    main()
