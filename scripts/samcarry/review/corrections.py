"""Corrected annotations that come back: a data set in the contract, the corrected cases in training."""

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
from samcarry.formats.shapes import Annotation, as_it_is
from samcarry.importing.labels import write_labels
from samcarry.storage.files import atomic
from samcarry.storage.tables import write_table


@dataclass(frozen=True)
class _Corrections:
    """{case: its annotation}, in the order of the files; names of images that no shape was drawn in."""

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
    """Write images/, labels/ and cases.csv to `destination`, whole or not at all; `folder` is only read.

    A corrected case that was unlabelled joins training, after all that were there, in the order of the
    files; labels hidden from training give way to the correction. Splits and order of every other case are
    written down as they are, so that none of them moves. An image without any shape is passed over: CVAT
    exports those that nobody has looked at, too.

    Args:
        folder: the data set.
        files: corrected annotations, CVAT 1.1 XML.
        destination: the corrected data set's folder; one that is there already is replaced.
        splits: the settings of `find_cases`.
        classes: the classes wanted; None takes all.
        window: as in `images.read_grey`.
        replace_labels: let a correction replace labels that are not hidden; the case keeps its split.

    Returns:
        A summary, a line each.

    Raises:
        InputError: a line for each fault: an image that is no case, a case that is corrected twice, is
            labelled already, or is of a val or test patient, another size, an unknown class.
    """
    folder, destination = Path(folder), Path(destination)
    if destination.resolve() == folder.resolve():
        raise InputError(f"{destination}: is the data set itself, which corrections never touch")
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
            f"{shortlist([str(f) for f in files])}: hold no image with a shape; take out `corrections`"
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
        summary.append(
            f"{len(found.empty)} images without any shape were passed over: {shortlist(found.empty)}"
        )
    return summary


def _read(
    files: Sequence[str | Path],
    cases: Mapping[str, Case],
    classes: Sequence[str] | None,
    replace_labels: bool,
    faults: list[str],
) -> _Corrections:
    """Read all files; what is wrong with an image becomes a fault."""
    held_out = {case.patient: case.split for case in cases.values() if case.split in ("val", "test")}
    found = _Corrections({}, [])
    source: dict[str, Path] = {}
    for file in map(Path, files):
        try:
            annotations = read_cvat(file, _chooser(classes))
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
                faults.append(f"{where} is no case of the data set; take it out of the file")
            elif name in source:
                faults.append(f"{where} is corrected in {source[name]} too; name one of the two files")
            else:
                faults.extend(_judged(where, cases[name], held_out, replace_labels))
                source[name] = file
                found.of_case[name] = annotation
    return found


def _chooser(classes: Sequence[str] | None) -> Any:
    """Names the class of a label; one that is not wanted is a fault, since it may be a slip."""

    def choose(name: str) -> str:
        if classes is not None and name not in classes:
            raise InputError(f"is of class {name!r}, which is not among `classes`; mend the label")
        return as_it_is(name)

    return choose


def _judged(where: str, case: Case, held_out: Mapping[str, str], replace_labels: bool) -> list[str]:
    """What speaks against a correction."""
    if case.split != "unlabelled":
        if replace_labels:
            return []
        return [
            f"{where} is labelled already (in {case.split}); take it out of the file, or set "
            "corrections_replace: true to have its labels replaced"
        ]
    if case.patient in held_out:
        return [
            f"{where} is of patient {case.patient!r}, who is in {held_out[case.patient]}, and cannot join "
            "training; take it out of the file"
        ]
    return []


def _write_files(
    folder: Path, cases: Iterable[Case], corrected: Mapping[str, Annotation], faults: list[str]
) -> None:
    """Images and labels of all cases: links where the disk has them, the corrected labels drawn."""
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
    """A second name for a file, or a copy with its times where the disk knows no such names."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copy2(source, target)


def _write_rows(path: Path, folder: Path, cases: Iterable[Case], training: Sequence[str]) -> None:
    """Write cases.csv with split and order of every case, and what further columns the data set's has."""
    place = {name: number for number, name in enumerate(training)}
    resolved = [
        replace(case, split="train", order=place[case.case])
        if case.case in place
        else replace(case, order=None)
        for case in cases
    ]
    rows, _ = read_rows(folder / "cases.csv", {case.case: case.image for case in resolved}, [])
    others = [name for name in next(iter(rows.values()), {}) if name not in COLUMNS]
    records = []
    for case in resolved:
        order = "" if case.order is None else case.order
        about = [rows.get(case.case, {}).get(name, "") for name in others]
        records.append([case.case, case.patient, case.split, order, *about])
    write_table(path, [*COLUMNS, *others], records)
