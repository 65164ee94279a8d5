"""Coverage-guided fuzzing of one parser by libFuzzer, through atheris.

FUZZ_PARSER=cvat python tests/fuzz_guided.py CORPUS -max_total_time=1800
python tests/fuzz_guided.py --list

A finding ends the run, with its file as `crash-...`. CORPUS is a folder of starting files; without one, only
the small valid file of the parser is used. Other options are those of libFuzzer.
"""

import atexit
import contextlib
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

with atheris.instrument_imports(include=["samcarry", "pydicom", "nibabel"]):
    from support.fuzz_targets import TARGETS, sample
    from support.fuzzing import finding_in
    from support.mutations import mutate

BY_NAME = {target.name.lower().replace(" ", "-"): target for target in TARGETS}


def main() -> None:
    if sys.argv[1:] == ["--list"]:
        print("\n".join(BY_NAME))
        return
    name = os.environ.get("FUZZ_PARSER", "")
    if name not in BY_NAME:
        sys.exit(f"FUZZ_PARSER={name}: there is no such parser; there are {', '.join(BY_NAME)}")
    target = BY_NAME[name]
    logging.disable(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    valid = sample(target, folder / "sample")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "valid").write_bytes(valid)
    path = folder / target.file_name

    def test_one_input(data: bytes) -> None:
        path.write_bytes(data)
        finding = finding_in(target, path)
        if finding:
            raise AssertionError(f"{target.name}: {finding}")

    def mutated(data: bytes, longest: int, seed: int) -> bytes:
        """Every second mutant knows the format: checksums are corrected, compressed parts are unpacked."""
        if seed % 2:
            with contextlib.suppress(Exception):  # `data` is too damaged to be unpacked
                return mutate(data or valid, Random(seed))[:longest]
        return atheris.Mutate(data, longest)

    arguments = [*sys.argv, str(folder / "corpus"), f"-max_len={max(4096, 4 * len(valid))}"]
    atheris.Setup(arguments, test_one_input, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
