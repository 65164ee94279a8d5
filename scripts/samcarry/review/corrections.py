"""Turn corrected annotations into a new data set in which the corrected cases are training cases."""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

from samcarry.data.cases import Case, find_cases, label_files
from samcarry.data.checks import check_cases
from samcarry.data.contract import COLUMNS, read_rows
from samcarry.data.manifest import order_training_cases
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.formats.cvat import read_cvat
from samcarry.geometry.shapes import Annotation, ClassMapper, same_name
from samcarry.importing.labels import write_labels
from samcarry.storage.files import atomic
from samcarry.storage.tables import write_table


@dataclass(frozen=True)
class _Corrections:
    """The contents of all files of corrections.

    Attributes:
        of_case: {case: annotation}, in the order of the files.
        empty: names of images without any shape.
    """

    of_case: dict[str, Annotation]
    empty: list[str]


def apply_corrections(
    folder: str | Path,
    files: Sequence[str | Path],
    destination: str | Path,
    *,
    splits: Mapping[str, Any],
    classes: Sequence[str] | None = None,
    window: tuple[float, float] | None = None,
    replace_labels: bool = False,
) -> list[str]:
    """Write the corrected data set (images/, labels/, cases.csv) to `destination`, atomically.

    A corrected case that was unlabelled joins training after all previous training cases, in the order of
    the files; the correction replaces its hidden labels. Splits and order of all other cases are written
    unchanged. An image without any shape is ignored, because CVAT also exports images that nobody has
    looked at. `folder` is only read.

    Args:
        folder: the data set's folder.
        files: corrected annotations, CVAT 1.1 XML.
        destination: folder of the corrected data set; an existing one is replaced.
        splits: the settings of `find_cases`.
        classes: the requested classes; None takes all.
        window: as in `grey.read_grey`.
        replace_labels: let a correction replace labels that are not hidden; the case keeps its split.

    Returns:
        A summary, one string per line.

    Raises:
        InputError: one line per fault: an image that is not a case, a case that is corrected twice,
            already labelled or of a val or test patient, another size, or an unknown class.
    """
    folder, destination = Path(folder), Path(destination)
    if destination.resolve() == folder.resolve():
        raise InputError(
            f"{destination}: is the data set itself, which corrections never change; choose another folder"
        )
    cases, summary = find_cases(folder, **splits)
    training = [case for case in cases if case.split == "train"]
    present = check_cases(training, classes, window=window).of_case
    order = order_training_cases(cases, present, splits["seed"])
    split_of = {case.case: case.split for case in cases}
    faults: list[str] = []
    found = _read(files, {case.case: case for case in cases}, classes, replace_labels, faults)
    raise_faults(faults)
    if not found.of_case:
        raise InputError(
            f"{shortlist([str(f) for f in files])}: contain no image with a shape; correct some images, or "
            "remove `corrections` from the config"
        )
    with atomic(destination) as private:
        _write_files(private, cases, found.of_case, faults)
        raise_faults(faults)
        joined = [case for case in found.of_case if split_of[case] == "unlabelled"]
        _write_rows(private / "cases.csv", folder, cases, [*order, *joined])
    summary.append(f"{len(joined)} corrected cases join the {len(order)} training cases: {shortlist(joined)}")
    if replaced := [case for case in found.of_case if case not in joined]:
        summary.append(f"labels of {len(replaced)} labelled cases were replaced: {shortlist(replaced)}")
    if found.empty:
        summary.append(f"{len(found.empty)} images without any shape were ignored: {shortlist(found.empty)}")
    return summary


def _read(
    files: Sequence[str | Path],
    cases: Mapping[str, Case],
    classes: Sequence[str] | None,
    replace_labels: bool,
    faults: list[str],
) -> _Corrections:
    """The annotations in all files; one line is added to `faults` for each invalid file and image."""
    held_out = {case.patient: case.split for case in cases.values() if case.split in ("val", "test")}
    found = _Corrections({}, [])
    source: dict[str, Path] = {}
    for file in map(Path, files):
        try:
            annotations = read_cvat(file, _class_mapper(classes))
        except InputError as error:
            faults.extend(str(error).splitlines())
            continue
        for annotation in annotations:
            name = normalize("NFC", PurePosixPath(annotation.name.replace("\\", "/")).stem)
            if not annotation.shapes:
                found.empty.append(name)
                continue
            where = f"{file}: image {annotation.name!r}"
            if name not in cases:
                faults.append(f"{where} is not a case of the data set; remove it from the file")
            elif name in source:
                faults.append(f"{where} is also corrected in {source[name]}; list only one of the two files")
            else:
                faults.extend(_check_correction(where, cases[name], held_out, replace_labels))
                source[name] = file
                found.of_case[name] = annotation
    return found


def _class_mapper(classes: Sequence[str] | None) -> ClassMapper:
    """A function that maps a label to its class and rejects labels that are not in `classes`.

    An unknown label is a fault and not ignored, because it may be a typing error.
    """

    def map_class(name: str) -> str:
        if classes is not None and name not in classes:
            raise InputError(f"has class {name!r}, which is not listed in `classes`; correct the label")
        return same_name(name)

    return map_class


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
    folder: Path, cases: Iterable[Case], corrected: Mapping[str, Annotation], faults: list[str]
) -> None:
    """Write images and labels of all cases: corrected labels are drawn, all other files are linked."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for case in cases:
        _link(case.image, folder / "images" / case.image.name)
        labels = folder / "labels" / case.case
        if case.case in corrected:
            write_labels(labels, case.image, [corrected[case.case]], "union", faults)
        elif case.labels is not None:
            labels.mkdir()
            for name, file in label_files(case).items():
                _link(file, labels / f"{name}.png")


def _link(source: Path, target: Path) -> None:
    """Create a hard link, or a copy with the same times if the file system does not support links."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)


def _write_rows(path: Path, folder: Path, cases: Iterable[Case], training: Sequence[str]) -> None:
    """Write cases.csv with split and order of every case and the additional columns of the data set."""
    rank = {name: number for number, name in enumerate(training)}
    resolved = [
        replace(case, split="train", order=rank[case.case])
        if case.case in rank
        else replace(case, order=None)
        for case in cases
    ]
    rows, _ = read_rows(folder / "cases.csv", {case.case: case.image for case in resolved}, [])
    others = [name for name in next(iter(rows.values()), {}) if name not in COLUMNS]
    records = []
    for case in resolved:
        order = "" if case.order is None else case.order
        values = [rows.get(case.case, {}).get(name, "") for name in others]
        records.append([case.case, case.patient, case.split, order, *values])
    write_table(path, [*COLUMNS, *others], records)
