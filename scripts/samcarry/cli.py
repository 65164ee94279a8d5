"""The command line: samcarry predict MODEL IMAGES OUT."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence

from samcarry import __version__
from samcarry.errors import InputError

# As in mask_files, which takes seconds to import; a test compares the two.
FORMATS = ("png", "labelmap", "nifti", "coco", "cvat", "dicomseg", "overlay")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if all is well, 1 if anything was refused or left out, as lines on stderr tell."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("numexpr").setLevel(logging.WARNING)  # it tells how many threads it could have
    # A job that is ended from outside cleans up as one that is stopped by hand.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _predict(options)
    except InputError as error:
        print(error, file=sys.stderr)
    except OSError as error:  # a full disk, a folder that must not be written to
        print(f"{error.filename or options.out}: {error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    return 1


def _predict(options: argparse.Namespace) -> int:
    # Imported here, so that --help answers at once.
    from samcarry.errors import raise_faults
    from samcarry.predict.models import load_model
    from samcarry.predict.new_images import predict_folder

    done, faults = predict_folder(
        load_model(options.model, options.device),
        options.images,
        options.out,
        options.formats,
        one_component=options.one_component,
        window=tuple(options.window) if options.window else None,
        overwrite=options.overwrite,
    )
    print(f"{options.out}: masks of {len(done)} images", file=sys.stderr)
    if faults:
        print(f"{len(faults)} left out:", file=sys.stderr)
        raise_faults(faults)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="samcarry", description="A few labelled radiographs in, a good segmentation model out."
    )
    parser.add_argument("--version", action="version", version=f"samcarry {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    predict = commands.add_parser(
        "predict",
        help="masks on a folder of new images",
        description="Predict masks on a folder of PNG, JPEG, TIFF or DICOM images, at their original size.",
    )
    predict.add_argument(
        "model", metavar="MODEL", help="a model.safetensors or model.onnx; nothing else is needed"
    )
    predict.add_argument("images", metavar="IMAGES", help="folder of images; folders in it are searched too")
    predict.add_argument("out", metavar="OUT", help="folder to be made; it appears when all is done")
    predict.add_argument(
        "--formats",
        nargs="+",
        choices=FORMATS,
        default=["png", "overlay"],
        help="what to write (default: png overlay)",
    )
    predict.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default: auto")
    predict.add_argument(
        "--one-component",
        action="store_true",
        help="keep of each class only its most likely connected part (Eq. 1 of the paper); off by default",
    )
    predict.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="percentiles stretched to black and white, as images.window in the training's config; "
        "default: what the model tells, else the full range or the DICOM file's own window",
    )
    predict.add_argument(
        "--overwrite", action="store_true", help="replace an OUT that samcarry predict made earlier"
    )
    return parser
