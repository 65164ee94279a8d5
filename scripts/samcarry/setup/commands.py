"""The commands samcarry init, check, status and doctor: their options, and what they print."""

import argparse
from pathlib import Path
from typing import Any

from samcarry.errors import InputError
from samcarry.pipeline.config import Config
from samcarry.pipeline.settings import PRESETS, complete, read_configs

ROOT = Path(__file__).resolve().parents[3]
"""The clone of the repository that this library is in; of an installed copy, the current folder counts."""

# Each command imports what it needs: no command may wait for the libraries of another.


def add_commands(commands: Any) -> None:
    """Add the parsers of these commands; the attribute `run` of their options is what runs them."""
    init = commands.add_parser(
        "init",
        help="write a config for a folder of images and labels, or an export of annotations",
        description="Look at a data set, and write config/<name>.yaml with about ten lines: what was found, "
        "and the choices made and why. Nothing is written if the data have a fault.",
    )
    init.add_argument("data", metavar="DATA", type=Path, help="folder, export, or its annotation file")
    init.add_argument("--config", type=Path, metavar="FILE", help="default: config/<name of DATA>.yaml")
    init.add_argument("--preset", choices=PRESETS, default="recommended", help="default: recommended")
    init.add_argument("--one-class", action="store_true", help="the study has one class only")
    init.set_defaults(run=_init)
    for name, run, text in (
        ("check", _check, "report all faults of a config and its data set, without running anything"),
        ("status", _status, "report what of a run is done, running and left, and where results are"),
        ("doctor", _doctor, "report GPU, disk, threads, checkpoints and SLURM"),
    ):
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.add_argument(
            "--configfile",
            nargs="+",
            default=[],
            metavar="FILE",
            help="as for snakemake; default: config.yaml, the demo",
        )
        command.set_defaults(run=run)


def _root() -> Path:
    for place in (Path.cwd(), ROOT):
        if (place / "Snakefile").is_file() and (place / "workflow/schemas").is_dir():
            return place
    raise InputError(
        f"{Path.cwd()}: holds no Snakefile; run this command in a clone of samcarry's repository"
    )


def _config(files: list[str], root: Path) -> Config:
    """A complete config.

    Raises:
        InputError: one line for each fault.
    """
    config, _ = read_configs(files, root)
    faults = complete(config, root)
    if faults:
        raise InputError("\n".join(f"config: {fault}" for fault in faults))
    return config


def _init(options: argparse.Namespace) -> int:
    from samcarry.setup.starting import start

    target, text, warnings = start(
        options.data, _root(), options.config, preset=options.preset, one_class=options.one_class
    )
    print(text)
    for line in warnings:
        print(f"warning: {line}")
    print(f"Wrote {target}. Check it: samcarry check --configfile {target}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from samcarry.runtime.processes import usable_cpus
    from samcarry.setup.checking import check

    verdict = check(options.configfile, _root(), usable_cpus())
    for line in verdict.table:
        print(line)
    for line in verdict.warnings:
        print(line if line.startswith("note: ") else f"warning: {line}")
    for line in verdict.faults:
        print(f"fault: {line}")
    print(f"{len(verdict.faults)} faults, {len(verdict.warnings)} warnings")
    return 1 if verdict.faults else 0


def _status(options: argparse.Namespace) -> int:
    from samcarry.setup.progress import status

    root = _root()
    dataset = _config(options.configfile, root)["dataset"]
    for line in status(dataset, options.configfile, root).lines():
        print(line)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from samcarry.setup.doctoring import examine

    root = _root()
    config, _ = read_configs(options.configfile, root)
    wrong = complete(config, root)  # missing checkpoints, which are reported below, and other faults
    lines, faults = examine(config, root)
    faults += [f"config: {fault}" for fault in wrong if "there is no such file" not in fault]
    for line in lines:
        print(line)
    for line in faults:
        print(f"fault: {line}")
    return 1 if faults else 0
