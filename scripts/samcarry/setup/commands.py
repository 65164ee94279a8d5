"""The commands samcarry init, check, status, doctor and pseudonymise: their options, and what they print."""

import argparse
from pathlib import Path
from typing import Any

from samcarry.errors import InputError, raise_faults
from samcarry.pipeline.config import Config
from samcarry.pipeline.settings import PRESETS, complete, of_config, read_configs

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
    hide = commands.add_parser(
        "pseudonymise",
        help="copy a data set, with pseudonyms for the names of cases and patients, and without headers",
        description="Copy a data set (images/, labels/, cases.csv) with pseudonyms for the names of cases "
        "and patients, and without the headers of images. If images have lines of text near their borders, "
        "--text says what to do.",
    )
    hide.add_argument("data", metavar="DATA", type=Path, help="folder of the data set")
    hide.add_argument("out", metavar="OUT", type=Path, help="folder of the copy, which must not exist")
    hide.add_argument(
        "--key",
        metavar="FILE",
        type=Path,
        required=True,
        help="file with the secret that pseudonyms are computed with; a missing one is made. Keep it: the "
        "same key gives the same pseudonyms to cases that are added later",
    )
    hide.add_argument("--names", metavar="FILE", type=Path, help="write a table of names and pseudonyms, too")
    hide.add_argument(
        "--patient-pattern", metavar="REGEX", help="as splits.patient_pattern: finds the patient in a name"
    )
    hide.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="as images.window, if the config of the study has one; DICOM images are then copied without the "
        "window of their header",
    )
    hide.add_argument(
        "--text",
        choices=("refuse", "fill", "keep"),
        default="refuse",
        help="if lines of text are found near the borders of images: refuse to copy the data set, fill them, "
        "or keep them; default: refuse",
    )
    hide.set_defaults(run=_pseudonymise)
    text = commands.add_parser(
        "text",
        help="find text in the pixels of images, such as names and dates, and show it on a page",
        description="Find lines of text near the borders of the PNG, JPEG, TIFF or DICOM images of a folder, "
        "whose subfolders are searched too, and show them on a page. The page shows the text: keep it as you "
        "keep the images. A single marker such as L or R is not a line of text.",
    )
    text.add_argument("images", metavar="IMAGES", type=Path, help="folder of images, or one image")
    text.add_argument("page", metavar="PAGE", type=Path, help="HTML file to write, which must not exist")
    text.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="as images.window, if the config of the study has one",
    )
    text.set_defaults(run=_text)


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
        raise InputError(of_config(faults))
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
    wrong = complete(config, root, with_files=False)  # `examine` reports missing checkpoints
    lines, faults = examine(config, root)
    faults += of_config(wrong).splitlines()
    for line in lines:
        print(line)
    for line in faults:
        print(f"fault: {line}")
    return 1 if faults else 0


def _pseudonymise(options: argparse.Namespace) -> int:
    from samcarry.setup.pseudonyms import pseudonymise, read_key, write_names

    for file in filter(None, (options.key, options.names)):
        for folder in (options.data, options.out):
            if file.resolve().is_relative_to(folder.resolve()):
                raise InputError(f"{file}: is inside {folder}; keep the key and the names elsewhere")
    if options.names and options.names.exists():
        raise InputError(f"{options.names}: exists already; remove it, or choose another file")
    key, is_new = read_key(options.key)
    names, warnings = pseudonymise(
        options.data,
        options.out,
        key,
        window=options.window,
        patient_pattern=options.patient_pattern,
        text=options.text,
    )
    if options.names:
        write_names(options.names, names)
    for line in warnings:
        print(f"warning: {line}")
    if is_new:
        print(f"{options.key}: a new key; keep it secret, and keep it as long as cases may be added")
    print(
        f"{options.out}: {len(names)} cases with pseudonyms; look for text in the pixels that was not found"
    )
    return 0


def _text(options: argparse.Namespace) -> int:
    from samcarry.setup.page import write_text_page

    images, with_text, faults = write_text_page(options.images, options.page, options.window)
    print(f"{options.page}: {with_text} of {images} images have lines of text near their borders")
    raise_faults(faults)
    return 0
