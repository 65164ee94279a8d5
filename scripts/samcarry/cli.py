"""The command line `samcarry`: its commands, their options, and what they print."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samcarry import __version__
from samcarry.errors import InputError, raise_faults
from samcarry.formats import FORMATS
from samcarry.runtime.processes import keep_freed_memory, usable_cpus, wait_asleep
from samcarry.setup.commands import add_commands
from samcarry.storage.reading import system_fault


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0 means success. 1 means that something was refused or left out; lines on stderr say what.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("numexpr").setLevel(logging.WARNING)  # it logs its thread count
    # A terminated process cleans up like one that is stopped with Ctrl+C. The handler is put back for callers
    # of this function: their forked workers, which are ended by the same signal, inherit it.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return int(options.run(options))
    except InputError as error:
        print(error, file=sys.stderr)
    except OSError as error:  # for example a full disk, or a folder without write permission
        print(system_fault(error.filename or getattr(options, "out", "."), error), file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 1


def _predict(options: argparse.Namespace) -> int:
    wait_asleep()
    keep_freed_memory()
    # Imported here, so that --help is fast, and torch finds how to wait.
    from samcarry.predict.models import load_model
    from samcarry.predict.new_images import predict_folder
    from samcarry.predict.options import read_measurements

    cases, faults = predict_folder(
        load_model(options.model, options.device, options.threads),
        options.images,
        options.out,
        options.formats,
        one_component=options.one_component,
        window=tuple(options.window) if options.window else None,
        laterality=options.laterality,
        unlike=options.unlike,
        overwrite=options.overwrite,
        spacing=options.spacing and (options.spacing[0], options.spacing[-1]),
        measurements=read_measurements(options.measurements) if options.measurements else None,
        coverage=options.coverage,
        probabilities=options.probabilities,
        tta=options.tta,
        threads=options.threads,
    )
    print(f"{options.out}: masks of {len(cases)} images", file=sys.stderr)
    if faults:
        print(f"{len(faults)} left out:", file=sys.stderr)
    raise_faults(faults)
    return 0


def _release(options: argparse.Namespace) -> int:
    from samcarry.predict.release import release

    removed = release(options.model, options.out)
    for line in removed:
        print(f"removed {line}", file=sys.stderr)
    print(
        f"{options.out}: {'a model without these names' if removed else 'a model; it had no names'}, and its "
        "model card; names of classes are kept",
        file=sys.stderr,
    )
    return 0


def _bundle(options: argparse.Namespace) -> int:
    from samcarry.predict.bundle import write_bundle

    missing = write_bundle(options.model, options.out)
    for line in missing:
        print(f"not in the bundle: {line}", file=sys.stderr)
    print(f"{options.out}: a bundle for MONAI; docs/README.md says how to run it", file=sys.stderr)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from samcarry.paper.verify import verify

    verdict = verify(options.folder)
    for line in verdict.faults:
        print(f"fault: {line}")
    print(f"fingerprint: {verdict.fingerprint}")
    print(verdict.summary)
    return 1 if verdict.faults else 0


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1024")
    return int(text)


class _OneOrTwo(argparse.Action):
    """Accept one or two values."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any
    ) -> None:
        if len(values) > 2:
            parser.error(f"argument {self.option_strings[0]}: expected one or two numbers")
        setattr(namespace, self.dest, tuple(values))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="samcarry", description="Segmentation of radiographs from few labels."
    )
    parser.add_argument("--version", action="version", version=f"samcarry {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser(
        "predict",
        help="segment images with a trained model, and measure the masks",
        description="Segment a folder of PNG, JPEG, TIFF or DICOM images, or a single one, with a trained "
        "model, and measure the masks. The masks have the original size of the images.",
    )
    predict.set_defaults(run=_predict)
    predict.add_argument("model", metavar="MODEL", help="model file: model.safetensors or model.onnx")
    predict.add_argument(
        "images", metavar="IMAGES", help="folder of images, whose subfolders are searched too, or one image"
    )
    predict.add_argument("out", metavar="OUT", help="output folder; created when prediction has finished")
    predict.add_argument(
        "--formats",
        nargs="+",
        choices=FORMATS,
        default=["png", "overlay"],
        metavar="FORMAT",
        help=f"what to write, one or more of {', '.join(FORMATS)}; default: png overlay",
    )
    predict.add_argument(
        "--device",
        default="auto",
        choices=("auto", "cpu", "cuda"),
        help="where to compute; default: auto, a GPU if there is one",
    )
    predict.add_argument(
        "--threads",
        type=_threads,
        default=usable_cpus(),
        metavar="N",
        help="threads on the CPU; default: the CPUs that the process may use, %(default)s here",
    )
    predict.add_argument(
        "--spacing",
        nargs="+",
        type=float,
        action=_OneOrTwo,
        metavar="MM",
        help="size of a pixel in mm, or its height and width, of images that do not say it, for measurements",
    )
    predict.add_argument(
        "--measurements",
        metavar="FILE",
        help="a YAML file with the key measurements, such as a config: gaps and angles between classes; "
        "default: those that the model file lists",
    )
    predict.add_argument(
        "--one-component",
        action="store_true",
        help="keep only the most likely connected component of each class (Eq. 1 of the paper)",
    )
    predict.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="percentiles of the grey values that become black and white, as images.window in the config; "
        "default: the window stored in the model; if it has none, the full range of the file, or the window "
        "in the DICOM file",
    )
    predict.add_argument(
        "--laterality",
        metavar="RULE",
        help="how to find the side that an image shows, if the model was trained with mirrored images: left "
        "or right for all images, dicom for the DICOM tags, pattern:REGEX for the image's path, whose first "
        "group is L or R, or SHEET.csv:COLUMN",
    )
    predict.add_argument(
        "--unlike",
        choices=("warn", "refuse"),
        default="warn",
        help="what to do with images unlike the training images: warn, or refuse to leave them out; "
        "default: warn",
    )
    predict.add_argument(
        "--coverage",
        type=float,
        metavar="C",
        help="also write an outer and an inner mask of each class, and lower bounds of Dice, that hold for "
        "this share of patients, such as 0.9; needs a calibrated model",
    )
    predict.add_argument(
        "--probabilities",
        action="store_true",
        help="also write calibrated probabilities, as PNG files of 0 to 255; needs a calibrated model",
    )
    predict.add_argument(
        "--tta",
        action="store_true",
        help="predict the mean over five slightly moved and scaled views; takes five times as long",
    )
    predict.add_argument(
        "--overwrite", action="store_true", help="replace an existing OUT, if samcarry predict made it"
    )
    add_commands(commands)
    release = commands.add_parser(
        "release",
        help="remove names of cases, patients, files and folders from a model file",
        description="Write a model file without names of cases, patients, files and folders, and its model "
        "card. The weights are unchanged.",
    )
    release.set_defaults(run=_release)
    release.add_argument("model", metavar="MODEL", help="model file: model.safetensors of a U-Net")
    release.add_argument("out", metavar="OUT", help="output folder, which must not exist")
    bundle = commands.add_parser(
        "bundle",
        help="write a model as a bundle for MONAI, which runs without samcarry",
        description="Write a model as a bundle for MONAI: a folder with network, weights, configs and model "
        "card, without names of cases, patients, files and folders. Its masks are those of samcarry predict; "
        "what it does not hold is printed.",
    )
    bundle.set_defaults(run=_bundle)
    bundle.add_argument("model", metavar="MODEL", help="model file: model.safetensors of one U-Net")
    bundle.add_argument("out", metavar="OUT", help="output folder, which must not exist")
    verify = commands.add_parser(
        "verify",
        help="recompute every number of a paper's folder, and compare its files with their digests",
        description="Check the folder of the target results/<dataset>/paper/index.html, or a copy of it: "
        "recompute every number on its pages and in its tables, and compare each file with its digest. It "
        "needs neither images nor results.",
    )
    verify.set_defaults(run=_verify)
    verify.add_argument("folder", metavar="FOLDER", type=Path, help="the folder paper")
    return parser
