"""Turn corrected annotations into a new data set in which the corrected cases are training cases."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from samcarry.data.cases import Case, find_cases, hashed_split
from samcarry.data.checks import check_cases
from samcarry.data.contract import (
    COLUMNS,
    CORRECTED_BY,
    CORRECTED_MINUTES,
    IMPORTED_FROM,
    LABELLED_SPLITS,
    read_rows,
)
from samcarry.data.manifest import order_training_cases
from samcarry.data.user_files import find_label_files
from samcarry.errors import InputError, list_counts, raise_faults, shortlist
from samcarry.formats.cvat import read_cvat
from samcarry.formats.page_file import PageFile, read_page_file
from samcarry.geometry.shapes import Annotation, ClassMapper, class_mapper
from samcarry.importing.labels import line_without_pixel, write_labels
from samcarry.importing.matching import match_images, without_suffix
from samcarry.review.picture_names import unmarked
from samcarry.storage.disk import copy
from samcarry.storage.files import atomic, sha256
from samcarry.storage.tables import write_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Corrections:
    """The contents of all files of corrections.

    Attributes:
        of_case: {case: annotation}, in the order of the files.
        turned: the cases whose image in the data set is the mirrored one of that in the file.
        effort: {case: (annotator, seconds)}, for cases that were corrected on the annotation page.
        empty: names of images without any shape that nobody marked as finished.
        skipped: the number of entries without an area of each kind; their labels are no classes.
    """

    of_case: dict[str, Annotation]
    turned: set[str]
    effort: dict[str, tuple[str, float]]
    empty: list[str]
    skipped: Counter[str]


def apply_corrections(
    folder: str | Path,
    files: Sequence[str | Path],
    destination: str | Path,
    *,
    splits: Mapping[str, Any],
    classes: Sequence[str] | None = None,
    window: tuple[float, float] | None = None,
    replace_labels: bool = False,
    mirrored: Collection[str] = (),
) -> list[str]:
    """Write the corrected data set (images/, labels/, cases.csv) to `destination`, atomically.

    A corrected case that was unlabelled joins training after all previous training cases, in the order of
    the files; the correction replaces its hidden labels. Splits and order of all other cases are written
    unchanged. An image without any shape is ignored, because CVAT also exports images that nobody has
    looked at; on the annotation page, somebody confirmed that it shows no class. `folder` is only read.

    Of an image that an import has mirrored, corrections may be drawn on the mirrored picture of a task or of
    the page, or on the user's own image, such as an exported mask; the latter are mirrored.

    If nothing is labelled yet, the corrected cases are the first labels, and the hash of `find_cases` splits
    them by patient.

    Args:
        folder: the data set's folder.
        files: corrected annotations, CVAT 1.1 XML or saved by the annotation page.
        destination: folder of the corrected data set; an existing one is replaced.
        splits: the settings of `find_cases`.
        classes: the requested classes; None takes all.
        window: as in `grey.read_grey`.
        replace_labels: let a correction replace labels that are not hidden; the case keeps its split.
        mirrored: the cases whose images an import has mirrored.

    Returns:
        A summary, one string per line.

    Raises:
        InputError: one line per fault: an image that is not a case or may be another one, a case that is
            corrected twice, already labelled or of a val or test patient, another size, an unknown class,
            a line, points or a skeleton of a class, a shape of a class that gets no pixel, or a file of the
            annotation page that was edited or is for other images.
    """
    folder, destination = Path(folder), Path(destination)
    if destination.resolve() == folder.resolve():
        raise InputError(
            f"{destination}: is the data set itself, which corrections never change; choose another folder"
        )
    first_labels = not any((folder / "labels").glob("*/"))
    cases, summary = find_cases(folder, **splits, labels_follow=first_labels)
    order: list[str] = []
    if not first_labels:
        training = [case for case in cases if case.split == "train"]
        present = check_cases(training, classes, window=window).of_case
        order = order_training_cases(cases, present, splits["seed"])
    split_of = {case.case: case.split for case in cases}
    faults: list[str] = []
    by_name = {case.case: case for case in cases}
    found = _read(files, folder, by_name, classes, replace_labels, mirrored, faults)
    raise_faults(faults)
    if not found.of_case:
        raise InputError(
            f"{shortlist([str(f) for f in files])}: contain no image with a shape; correct some images, or "
            "remove `corrections` from the config"
        )
    with atomic(destination) as private:
        without_pixel = _write_files(private, cases, found, faults)
        raise_faults(faults)
        joined = [case for case in found.of_case if split_of[case] == "unlabelled"]
        placed = (
            _split_first_labels(cases, joined, splits) if first_labels else dict.fromkeys(joined, "train")
        )
        training_order = [*order, *(case for case in joined if placed[case] == "train")]
        _write_rows(private / "cases.csv", folder, cases, placed, training_order, found.effort)
    if found.skipped:
        total, kinds = found.skipped.total(), list_counts(found.skipped)
        summary.append(f"skipped {total} shapes whose labels are no classes: {kinds}")
    summary += line_without_pixel(without_pixel)
    if first_labels:
        counts = ", ".join(f"{list(placed.values()).count(split)} {split}" for split in LABELLED_SPLITS)
        return [*summary, f"{len(joined)} corrected cases are the first labels, split by patient: {counts}"]
    summary.append(f"{len(joined)} corrected cases join the {len(order)} training cases: {shortlist(joined)}")
    if replaced := [case for case in found.of_case if case not in joined]:
        summary.append(f"labels of {len(replaced)} labelled cases were replaced: {shortlist(replaced)}")
    if found.empty:
        summary.append(f"{len(found.empty)} images without any shape were ignored: {shortlist(found.empty)}")
    return summary


def _read(
    files: Sequence[str | Path],
    folder: Path,
    cases: Mapping[str, Case],
    classes: Sequence[str] | None,
    replace_labels: bool,
    mirrored: Collection[str],
    faults: list[str],
) -> _Corrections:
    """The annotations in all files; one line is added to `faults` for each invalid file and image."""
    held_out = {case.patient: case.split for case in cases.values() if case.split in ("val", "test")}
    annotations: list[Annotation] = []
    pages: dict[Path, PageFile] = {}
    for file in map(Path, files):
        try:
            if page := read_page_file(file):
                pages[file] = page
            # A person has just drawn a line or points here, so dropping them would count the class as absent.
            annotations += read_cvat(file, _class_mapper(classes), without_area="refuse")
        except InputError as error:
            faults.extend(str(error).splitlines())
    drawn = [annotation for annotation in annotations if annotation.shapes or annotation.source in pages]
    empty = [without_suffix(entry.name) for entry in annotations if entry not in drawn]
    skipped = Counter(kind for annotation in annotations for kind in annotation.skipped)
    found = _Corrections({}, set(), {}, empty, skipped)
    named = [unmarked(entry.name, cases) for entry in drawn]
    plain = [replace(entry, name=name) for entry, (name, _) in zip(drawn, named, strict=True)]
    matches = match_images(plain, _paths_of_images(folder, cases), folder / "images", faults, by_case=True)
    for annotation, (_, is_marked), match in zip(drawn, named, matches, strict=True):
        where = f"{annotation.source}: image {annotation.name!r}"
        if match is None:
            continue
        if match.case is None:
            faults.append(f"{where} is not a case of the data set; remove it from the file")
        elif match.case in found.of_case:
            one, other = (_with_annotator(a.source, pages) for a in (annotation, found.of_case[match.case]))
            faults.append(
                f"{one}: image {annotation.name!r} is also corrected in {other}; "
                "list only one of the two files"
            )
        else:
            faults.extend(_check_correction(where, cases[match.case], held_out, replace_labels))
            found.of_case[match.case] = annotation
            if page := pages.get(annotation.source):
                record = page.images[annotation.name]
                found.effort[match.case] = (page.annotator, record.seconds)
                # The digest says that it was drawn on the image in the data set.
                faults.extend(_check_image(where, cases[match.case].image, record.digest))
            elif is_marked != (match.case in mirrored):
                found.turned.add(match.case)
    if found.turned:
        log.warning(
            "%d corrections are mirrored, because they are of images as they are outside of the data set, "
            "not as in its tasks: %s",
            len(found.turned),
            shortlist(sorted(found.turned)),
        )
    return found


def _with_annotator(file: Path, pages: Mapping[Path, PageFile]) -> str:
    """A file and, if it says so, who corrected."""
    return f"{file} (by {pages[file].annotator})" if file in pages else str(file)


def _check_image(where: str, image: Path, digest: str) -> list[str]:
    """A fault if an image is not the one that was on the annotation page."""
    if sha256(image) == digest:
        return []
    return [
        f"{where} was not drawn on {image}, whose content differs: the file is for another data set, or the "
        "image was replaced since; list the file of this data set, or make the page again"
    ]


def _split_first_labels(
    cases: Iterable[Case], corrected: Iterable[str], splits: Mapping[str, Any]
) -> dict[str, str]:
    """{corrected case: its split}, by the hash of its patient."""
    patients = {case.case: case.patient for case in cases}
    keys = ("val_fraction", "test_fraction", "seed")
    return {case: hashed_split(patients[case], *(splits[key] for key in keys)) for case in corrected}


def _paths_of_images(folder: Path, cases: Mapping[str, Case]) -> dict[str, str]:
    """{case: path of its image, as the user knows it}; an import renamed those in subfolders."""
    rows, _ = read_rows(folder / "cases.csv", {name: case.image for name, case in cases.items()}, [])
    return {name: rows.get(name, {}).get(IMPORTED_FROM) or case.image.name for name, case in cases.items()}


def _class_mapper(classes: Sequence[str] | None) -> ClassMapper:
    """A function that maps a label to its class and rejects labels that are not in `classes`.

    An unknown label is a fault and not ignored, because it may be a typing error.
    """

    def choose(name: str) -> str:
        if classes is not None and name not in classes:
            raise InputError(f"has class {name!r}, which is not listed in `classes`; correct the label")
        return name

    return class_mapper(choose)


def _check_correction(where: str, case: Case, held_out: Mapping[str, str], replace_labels: bool) -> list[str]:
    """The faults of a correction: its case is already labelled or of a val or test patient."""
    if case.split != "unlabelled":
        if replace_labels:
            return []
        return [
            f"{where} is already labelled (in {case.split}); remove it from the file, or set "
            "corrections_replace: true to replace its labels"
        ]
    if case.patient in held_out:
        return [
            f"{where} is of patient {case.patient!r} in {held_out[case.patient]} and cannot join training; "
            "remove it from the file"
        ]
    return []


def _write_files(
    folder: Path, cases: Iterable[Case], found: _Corrections, faults: list[str]
) -> list[tuple[str, str]]:
    """Write images and labels of all cases: corrected labels are drawn, all other files are copied.

    A class that a correction draws, but of which no shape has a pixel, is a fault.

    Returns:
        (case, class) of each corrected outline that covers the centre of no pixel.
    """
    without_pixel: list[tuple[str, str]] = []
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for case in cases:
        copy(case.image, folder / "images" / case.image.name)
        labels = folder / "labels" / case.case
        if case.case in found.of_case:
            annotation = found.of_case[case.case]
            turned = case.case in found.turned
            tiny: list[tuple[str, str]] = []
            of_case: list[str] = []
            present = write_labels(
                labels, case.image, [annotation], "union", of_case, mirror=turned, without_pixel=tiny
            )
            if not of_case:
                of_case = [
                    f"{annotation.source}: image {annotation.name!r}: its shapes of class {name!r} cover the "
                    "centre of no pixel, so the class would count as absent; draw them larger, or delete them"
                    for name in sorted({name for _, name in tiny} - set(present))
                ]
            faults += of_case
            without_pixel += tiny
        elif case.labels is not None:
            labels.mkdir()
            for name, file in find_label_files(case.labels, faults).items():
                copy(file, labels / f"{name}.png")
    return without_pixel


def _write_rows(
    path: Path,
    folder: Path,
    cases: Iterable[Case],
    placed: Mapping[str, str],
    training: Sequence[str],
    effort: Mapping[str, tuple[str, float]],
) -> None:
    """Write cases.csv with split and order of every case and the additional columns of the data set.

    Args:
        path: the file.
        folder: the data set's own folder.
        cases: all cases.
        placed: {corrected case: the split that it joins}.
        training: the training cases in their order.
        effort: {case: (annotator, seconds)}; if there are any, they become columns.
    """
    rank = {name: number for number, name in enumerate(training)}
    resolved = [
        replace(case, split=placed.get(case.case, case.split), order=rank.get(case.case)) for case in cases
    ]
    rows, _ = read_rows(folder / "cases.csv", {case.case: case.image for case in resolved}, [])
    own = (CORRECTED_BY, CORRECTED_MINUTES) if effort else ()
    others = [name for name in next(iter(rows.values()), {}) if name not in (*COLUMNS, *own)]
    records = []
    for case in resolved:
        order = "" if case.order is None else case.order
        values = [rows.get(case.case, {}).get(name, "") for name in others]
        who, seconds = effort.get(case.case, ("", None))
        spent = [who, "" if seconds is None else f"{seconds / 60:.2f}"] if effort else []
        records.append([case.case, case.patient, case.split, order, *values, *spent])
    write_table(path, [*COLUMNS, *others, *own], records)
