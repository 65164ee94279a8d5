"""Predictions of a trained model on new images, as files of one folder to files of another."""

import json
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from samcarry import __version__
from samcarry.errors import InputError
from samcarry.formats import FORMATS
from samcarry.formats.writers import OVERLAP_RULE, MaskWriter
from samcarry.geometry.run_lengths import image_from_json
from samcarry.images.preparation import check_window
from samcarry.measure.expressions import parse_expressions
from samcarry.measure.intervals import COVERAGE
from samcarry.measure.shapes import Spacing
from samcarry.measure.table import Measured, measured_from_json, write_measurements
from samcarry.predict import promises
from samcarry.predict.finding import find_new_images
from samcarry.predict.laterality import NONE, check_laterality, find_sides
from samcarry.predict.models import Model
from samcarry.predict.one_image import Keys, RefusedError, look_at, write_files
from samcarry.predict.options import RECORD, Settings, check_out, check_spacing, check_unlike
from samcarry.predict.promises import Asked, check_asked
from samcarry.predict.unfinished import Unfinished, unfinished
from samcarry.runtime.progress import progress
from samcarry.storage.files import write_text
from samcarry.storage.names import check_names_fit
from samcarry.storage.tables import write_table

log = logging.getLogger(__name__)
TABLE = "images.csv"
MEASUREMENTS = "measurements.csv"
COLUMNS = (
    *("file", "case", "predicted", "side", "mirrored", "unlikeness", "unlike", "p_like", "outside"),
    *("dice_at_least", "burned_in", "row_mm", "column_mm", "spacing_from", "absent", "remark"),
)
"""The columns of images.csv: one row for each image."""

Record = dict[str, Any]
"""What images.csv and a later call have to know of an image, from `one_image.write_files`."""


def predict_folder(
    model: Model,
    images: str | Path,
    out: str | Path,
    formats: Sequence[str] = ("png", "overlay"),
    *,
    one_component: bool = False,
    window: tuple[float, float] | None = None,
    laterality: str | None = None,
    unlike: str = "warn",
    overwrite: bool = False,
    spacing: Spacing | None = None,
    measurements: Mapping[str, Any] | None = None,
    coverage: float | None = None,
    probabilities: bool = False,
    tta: bool = False,
    threads: int = 1,
) -> tuple[list[str], list[str]]:
    """Write masks of all images of a folder, as the command `samcarry predict` does.

    The output folder appears when prediction has finished. A call that is stopped leaves `<out>.unfinished`;
    the same call then goes on with the images that are missing. `images.csv` has a row for each image,
    `measurements.csv` one for each image and class (see `measure.table.write_measurements`), `classes.csv`
    lists the classes, and `predict.json` records the model and the settings.

    Args:
        model: a model from `load_model`.
        images: folder of PNG, JPEG, TIFF or DICOM files, whose subfolders are searched too; or one such file.
        out: the output folder, outside `images`.
        formats: what to write: 'png', 'labelmap', 'nifti', 'coco', 'cvat', 'yolo', 'segnrrd',
            'nnunet', 'dicomseg', 'overlay'.
        one_component: keep only the component of each class with the highest mean probability (Eq. 1).
        window: percentiles of the grey values that become black and white; None uses the model's window.
        laterality: how to find the side that an image shows, see `laterality.find_sides`; needed if images of
            one side were mirrored in training, and refused if not.
        unlike: what to do with images unlike the training images: 'warn', or 'refuse' to leave them out.
        overwrite: replace an existing `out`, if an earlier call made it.
        spacing: height and width of a pixel in mm, of images that do not say it.
        measurements: measurements between classes, see `measure.expressions.parse_expressions`; None takes
            those of the model.
        coverage: the share of patients, above 0 and below 1, for whom outer and inner masks and lower bounds
            of Dice are promised; needs a calibrated model. None = nothing is promised.
        probabilities: write calibrated probabilities too; needs a calibrated model.
        tta: predict the mean over slightly moved and scaled views, see `views`.
        threads: with more than one, an image is predicted while the last one is measured and written.

    Returns:
        The names of the predicted cases, and one line for each image or file that was left out.

    Raises:
        InputError: an option is unknown or does not fit the model, the side of an image cannot be found,
            `out` exists, is not outside `images` or is on a file system that refuses the name of an image, or
            no image can be read.
    """
    images, out = Path(images), Path(out)
    if not out.name:  # the working directory
        out = out.resolve()
    if unknown := [name for name in formats if name not in FORMATS]:
        raise InputError(f"format '{unknown[0]}' is unknown; choose from {', '.join(FORMATS)}")
    check_laterality(model, laterality)
    check_unlike(model, unlike)
    if model.presence is not None and model.presence.fault:
        log.warning("no class is judged absent: %s", model.presence.fault)
    check_out(images, out, overwrite)
    block = dict(model.measurements if measurements is None else measurements)
    expressions = parse_expressions(block, model.classes, "measurements")
    check_spacing(spacing)
    if window is not None:
        check_window(window)
    found, faults = find_new_images(images)
    check_names_fit(out.parent, found)
    images = images if images.is_dir() else images.parent
    log.info("%d images; %d classes at %d x %d pixels", len(found), len(model.classes), *model.size)
    sides = {} if laterality in (None, NONE) else find_sides(laterality, found, images)
    settings = Settings(
        tuple(formats),
        one_component,
        model.window if window is None else window,
        laterality,
        unlike,
        spacing,
        block,
        Asked(coverage, probabilities),
        tta,
    )
    check_asked(model, settings.asked, window=settings.window, tta=tta)
    if settings.window != model.window:
        log.warning("the window %s replaces that of the training images, %s", settings.window, model.window)
    done, rows = [], []
    sure: list[list[Any]] = []
    measured: list[tuple[str, str, Measured]] = []
    with unfinished(out, replace=overwrite) as state:
        keys = Keys(model, settings, images, sides)
        kept = _keep_finished(state, found, keys, out)
        files = MaskWriter(state.results, model.classes, formats, again=True)
        records = _records(found, kept, keys, files, state, at_once=2 if threads > 1 else 1)
        for case, file, record in progress(records, "predicted", len(found)):
            if isinstance(record, InputError):
                faults.append(str(record))
                unlike_too = int(isinstance(record, RefusedError)) or ""
                rest = [0, sides.get(case, ""), "", "", unlike_too, *[""] * 8, str(record)]
                rows.append([file.relative_to(images).as_posix(), case, *rest])
                continue
            faults += record["faults"]
            name = file.relative_to(images).as_posix()
            rows.append([name, case, 1, *record["row"]])
            sure += [[name, case, *row] for row in record["sure"]]
            measured.append((name, case, measured_from_json(record["measured"])))
            done.append(case)
        if not done:
            raise InputError(
                "\n".join([*faults, f"{images}: none of the images can be predicted; {out} was not written"])
            )
        if strange := sum(row[COLUMNS.index("unlike")] == 1 for row in rows):
            log.warning("%d of %d images are unlike the training images; see %s", strange, len(rows), TABLE)
        _warn_of_magnification(rows)
        files.finish()
        write_table(state.results / TABLE, COLUMNS, rows)
        if model.confidence is not None:
            write_table(state.results / promises.TABLE, promises.COLUMNS, sure)
        write_measurements(state.results / MEASUREMENTS, measured, model.classes, expressions)
        about = {**asdict(settings), "interval": COVERAGE, "cases": done, "left_out": faults}
        _write_record(state.results / RECORD, model, about)
    return done, faults


def _records(
    found: Mapping[str, Path],
    kept: Collection[str],
    keys: Keys,
    files: MaskWriter,
    state: Unfinished,
    *,
    at_once: int,
) -> Iterator[tuple[str, Path, Record | InputError]]:
    """Case, file, and record of each image, in order; an error where there are no masks of it.

    Files are written by a thread of their own, one image after the other. Up to `at_once` images are in
    memory.
    """

    def written(case: str, file: Path) -> Callable[[], Record]:
        if case not in kept:
            seen = look_at(keys, case, file)
            return lambda: write_files(keys, seen, files, state)
        return lambda: _written_before(case, file, files, state)

    # When this ends early, what was submitted is finished, and a later call finds it.
    with ThreadPoolExecutor(1) as writer:
        waiting: deque[tuple[str, Path, Future[Record] | InputError]] = deque()
        for case, file in found.items():
            try:
                waiting.append((case, file, writer.submit(written(case, file))))
            except InputError as error:
                waiting.append((case, file, error))
            while len(waiting) >= at_once:
                yield _finished(*waiting.popleft())
        while waiting:
            yield _finished(*waiting.popleft())


def _finished(
    case: str, file: Path, result: Future[Record] | InputError
) -> tuple[str, Path, Record | InputError]:
    """An entry of `_records`, once the image's files are written."""
    if isinstance(result, InputError):
        return case, file, result
    try:
        return case, file, result.result()
    except InputError as error:
        return case, file, error


def _written_before(case: str, file: Path, files: MaskWriter, state: Unfinished) -> Record:
    """The record of an image whose files a call that was stopped has written."""
    record = state.recall(case)
    files.add_again(case, record["runs"] and image_from_json(record["runs"]), file)
    return record


def _keep_finished(state: Unfinished, found: Mapping[str, Path], keys: Keys, out: Path) -> set[str]:
    """The cases that a call that was stopped has finished; whatever else it has left is removed."""
    known = {}
    for case, file in found.items():
        if state.has_record(case):
            with suppress(InputError):  # an image that cannot be read any more is reported later
                known[case] = keys.of(case, file)
    kept = state.keep(known)
    if known:
        others = len(known) - len(kept)
        log.info("%s: %d of %d images are finished already", out, len(kept), len(found))
        if others:
            log.info("%d more were finished with another model, options or content: again", others)
    return kept


def _warn_of_magnification(rows: Sequence[Sequence[object]]) -> None:
    magnified = sum(row[COLUMNS.index("spacing_from")] == "ImagerPixelSpacing" for row in rows)
    if magnified:
        log.warning(
            "%d images give the size of a pixel at the detector (ImagerPixelSpacing), where the object "
            "appears magnified: their lengths in mm are larger than those of the object",
            magnified,
        )


def _write_record(path: Path, model: Model, record: dict[str, object]) -> None:
    """Write predict.json: versions, settings and cases."""
    origin = {"samcarry": __version__, "model_sha256": model.sha256, "overlap_rule": OVERLAP_RULE}
    write_text(path, json.dumps({**origin, **record}, ensure_ascii=False, indent=1))
