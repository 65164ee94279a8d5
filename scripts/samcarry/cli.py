"""The command line: samcarry predict MODEL IMAGES OUT, and samcarry release MODEL OUT."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence

from samcarry import __version__
from samcarry.errors import InputError, raise_faults
from samcarry.formats import FORMATS
from samcarry.storage.reading import system_fault


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0 means success. 1 means that something was refused or left out; lines on stderr say what.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("numexpr").setLevel(logging.WARNING)  # it logs its thread count
    # A terminated process cleans up like one that is stopped with Ctrl+C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _release(options) if options.command == "release" else _predict(options)
    except InputError as error:
        print(error, file=sys.stderr)
    except OSError as error:  # for example a full disk, or a folder without write permission
        print(system_fault(error.filename or options.out, error), file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 1


def _predict(options: argparse.Namespace) -> int:
    # Imported here, so that --help is fast.
    from samcarry.predict.models import load_model
    from samcarry.predict.new_images import predict_folder

    cases, faults = predict_folder(
        load_model(options.model, options.device),
        options.images,
        options.out,
        options.formats,
        one_component=options.one_component,
        window=tuple(options.window) if options.window else None,
        laterality=options.laterality,
        unlike=options.unlike,
        overwrite=options.overwrite,
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="samcarry", description="Segmentation of radiographs from few labels."
    )
    parser.add_argument("--version", action="version", version=f"samcarry {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser(
        "predict",
        help="segment a folder of images with a trained model",
        description="Segment a folder of PNG, JPEG, TIFF or DICOM images with a trained model. "
        "The masks have the original size of the images.",
    )
    predict.add_argument("model", metavar="MODEL", help="model file: model.safetensors or model.onnx")
    predict.add_argument("images", metavar="IMAGES", help="folder of images; subfolders are searched too")
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
        "--overwrite", action="store_true", help="replace an existing OUT, if samcarry predict made it"
    )
    release = commands.add_parser(
        "release",
        help="remove names of cases, patients, files and folders from a model file",
        description="Write a model file without names of cases, patients, files and folders, and its model "
        "card. The weights are unchanged.",
    )
    release.add_argument("model", metavar="MODEL", help="model file: model.safetensors of a U-Net")
    release.add_argument("out", metavar="OUT", help="output folder, which must not exist")
    return parser
