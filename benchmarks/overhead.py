"""Measure the workflow's overhead: Snakemake itself, and starting Python and its libraries.

    python benchmarks/overhead.py
    python benchmarks/overhead.py results/demo/table1.md --configfile other.yaml
    python benchmarks/overhead.py --cold --folder ../kept

The given targets (by default, the demo) are computed from scratch, in a temporary folder or in an empty one
that is kept. All numbers are seconds of CPU time. The total comes from the operating system, and the time of
each job from the last line of its log.
Reading and writing files counts as work. Processes that jobs are copies of count with Snakemake; with --cold,
each job starts Python and imports its libraries itself.
"""

import argparse
import contextlib
import os
import re
import tempfile
from collections import defaultdict
from pathlib import Path

from scale import copy_workflow, snakemake

from samcarry.pipeline.warm import OFF

DONE = re.compile(r"\[(\w+).*\] done: ([\d.]+) s of CPU time, ([\d.]+) s of it for starting")


def main() -> None:
    """Run the workflow and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cores", default="8")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--folder")
    options, targets = parser.parse_known_args()
    if options.cold:
        os.environ[OFF] = "1"
    with contextlib.nullcontext(options.folder) if options.folder else tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_workflow(folder)
        _, wall, total = snakemake(folder, *targets, options=("--cores", options.cores))
        logs = [log.read_text(encoding="utf-8") for log in folder.glob("results/**/*.log")]
    found = [match.groups() for log in logs for match in DONE.finditer(log)]
    by_rule: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for rule, whole, start in found:
        by_rule[rule].append((float(whole), float(start)))
    in_jobs = sum(whole for times in by_rule.values() for whole, _ in times)
    starting = sum(start for times in by_rule.values() for _, start in times)
    print(f"{len(found)} jobs, {wall:.0f} s of wall time, {total:.0f} s of CPU time")
    for rule, times in sorted(by_rule.items(), key=lambda item: -sum(start for _, start in item[1])):
        whole, start = (sum(column) for column in zip(*times, strict=True))
        print(f"  {rule}: {len(times)} jobs, {whole:.1f} s, including {start:.1f} s for starting")
    for what, seconds in (
        ("work", in_jobs - starting),
        ("starting", starting),
        ("Snakemake", total - in_jobs),
    ):
        print(f"{what}: {seconds:.0f} s, {100 * seconds / total:.0f} %")


if __name__ == "__main__":
    main()
