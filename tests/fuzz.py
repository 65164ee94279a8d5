"""Let every parser read thousands of damaged files, and report those that are not properly refused.

python tests/fuzz.py --mutations 3000 --seed 0
python tests/fuzz.py --data FOLDER            # also damage your own files
python tests/fuzz.py --only cvat --start 17 --mutations 1 --keep mutants
"""

import argparse
import contextlib
import dataclasses
import itertools
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from samcarry.errors import InputError  # noqa: E402
from support.fuzz_targets import TARGETS, sample  # noqa: E402
from support.fuzzing import Target, fuzz  # noqa: E402
from support.mutations import mutate  # noqa: E402

MOST_FILES = 20  # of the user's folder, per parser


def user_files(folder: Path, scratch: Path) -> Iterator[tuple[Target, bytes]]:
    """Some files of a folder, each with a parser that can read it undamaged.

    Copies are used, because some parsers need other files next to theirs, and the folder must not change.
    """
    for target in TARGETS:
        files = sorted(folder.rglob(f"*{Path(target.file_name).suffix}"))
        for path in files[:: max(1, len(files) // MOST_FILES)][:MOST_FILES]:
            copy = scratch / target.name.replace("/", "_") / target.file_name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            with contextlib.suppress(InputError):
                target.parse(copy)
                yield dataclasses.replace(target, name=f"{target.name}: {path.name}"), path.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mutations", type=int, default=3000, help="mutations of each small file (default 3000)"
    )
    parser.add_argument("--start", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="only parsers whose name starts with this")
    parser.add_argument("--data", type=Path, help="a folder with more files to damage")
    parser.add_argument(
        "--per-file", type=int, default=50, help="mutations of each file of --data (default 50)"
    )
    parser.add_argument("--keep", type=Path, help="folder for the mutants with findings")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    count = 0
    with tempfile.TemporaryDirectory() as name:
        small = ((target, sample(target, Path(name) / "sample"), given.mutations) for target in TARGETS)
        own = (
            (*pair, given.per_file)
            for pair in (user_files(given.data, Path(name) / "own") if given.data else ())
        )
        for target, content, mutations in itertools.chain(small, own):
            if given.only and not target.name.startswith(given.only):
                continue
            began = time.monotonic()
            numbers = range(given.start, given.start + mutations)
            findings = fuzz(target, content, numbers, given.seed, Path(name) / "mutants")
            print(f"{target.name}: {mutations} mutants, {time.monotonic() - began:.0f} s", flush=True)
            for finding in findings:
                print(f"  {finding}", flush=True)
                if given.keep:
                    given.keep.mkdir(parents=True, exist_ok=True)
                    number = finding.removeprefix(target.name).split(":")[0].strip()
                    mutant = mutate(content, Random(f"{given.seed} {target.name} {number}"))
                    (given.keep / f"{number}-{target.file_name}").write_bytes(mutant)
            count += len(findings)
    print(f"{count} findings")
    sys.exit(count > 0)


if __name__ == "__main__":
    main()
