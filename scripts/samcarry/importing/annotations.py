"""Import of images and annotations of other programs as a data set."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from samcarry.data.case_table import Row, case_rows, read_case_sheet, split_by_counts, write_case_rows
from samcarry.data.contract import LABELLED_SPLITS
from samcarry.data.left_out import FILE as LEFT_OUT
from samcarry.data.left_out import write_left_out
from samcarry.errors import InputError, LeftOut, list_counts, raise_faults, shortlist
from samcarry.geometry.shapes import Annotation, ClassMapper, class_mapper
from samcarry.images.grey import read_grey
from samcarry.importing.folders import copy_image, find_image_files, keep_timestamps
from samcarry.importing.labels import COMBINATIONS, Reading, compared, line_without_pixel, write_labels
from samcarry.importing.matching import Match, match_images
from samcarry.importing.readers import Reader, list_annotation_files, make_reader
from samcarry.storage.files import atomic
from samcarry.storage.tables import write_table

NO_SPLIT = ""
READERS_FILE = "readers.csv"
"""How well people agree who annotated the same image; without rows if none has two annotations."""

UNREADABLE = "unreadable, without labels"
"""Why an image was left out, in left_out.csv."""


@dataclass(frozen=True)
class _ClassChoice:
    """Which classes are wanted and how they are renamed.

    Attributes:
        names: {class in the files: class in the data set}.
        wanted: the classes to keep; None keeps all.
        only_named: refuse classes that are in neither of the two.
        dropped: the number of shapes of each other class.
        unknown: {refused class: first file that has it}.
        kept: {class in the data set: first file that has it}.
        met: the names in `names` that the files contain.
    """

    names: Mapping[str, str | None]
    wanted: Sequence[str] | None
    only_named: bool
    dropped: Counter[str] = field(default_factory=Counter)
    unknown: dict[str, Path] = field(default_factory=dict)
    kept: dict[str, Path] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)

    def mapper(self, source: Path) -> ClassMapper:
        """A function that maps class names in the file `source` to ours."""

        def choose(name: str) -> str | None:
            if named := name in self.names:
                self.met.add(name)
            new_name = self.names[name] if named else name
            if new_name is not None and not named and self.only_named and new_name not in (self.wanted or ()):
                self.unknown.setdefault(name, source)
                return None
            if new_name is None or (self.wanted is not None and new_name not in self.wanted):
                self.dropped[name] += 1
                return None
            self.kept.setdefault(new_name, source)
            return new_name

        return class_mapper(choose, "rename it in `classes`")

    def faults(self) -> list[str]:
        """One line for each class that was refused, and for each one with two spellings."""
        found = [
            f"{path}: class {name!r} is not named in classes; name it there, or null to drop it"
            for name, path in sorted(self.unknown.items())
        ]
        spelling: dict[str, str] = {}
        for name, path in self.kept.items():
            first = spelling.setdefault(name.lower(), name)
            if first != name:
                found.append(
                    f"{path}: class {name!r} differs from class {first!r} in {self.kept[first]} only in "
                    "upper and lower case; map one to the other in `classes`"
                )
        return found


@dataclass(frozen=True)
class _Gathered:
    """The contents of all annotation files.

    Attributes:
        by_case: {case: annotations}.
        split_of: {case: split}.
        missing: {split: names of images without a file}.
        skipped: the number of skipped shapes of each kind.
    """

    by_case: dict[str, list[Annotation]] = field(default_factory=lambda: defaultdict(list))
    split_of: dict[str, str] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    skipped: Counter[str] = field(default_factory=Counter)


def import_annotations(
    format_name: str,
    *,
    images: Path,
    annotations: Mapping[str, Sequence[Path]],
    destination: Path,
    classes: Mapping[str, str | None],
    only_named: bool = False,
    wanted: Sequence[str] | None = None,
    combine: str = "union",
    empty_is_labelled: bool = True,
    cases: Path | None = None,
    counts: Mapping[str, int] | None = None,
    window: tuple[float, float] | None = None,
    unreadable: str = "refuse",
    link: bool = False,
    options: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write images/, labels/, cases.csv, readers.csv and left_out.csv to `destination`, or nothing.

    Images are copied unchanged, except DICOM (see `folders.copy_image`). Images without annotation become
    unlabelled cases. Annotated images without an image file are left out and named in the summary. A case is
    named after its image; no two images may have the same name, even in different subfolders.

    Args:
        format_name: a key of `readers.READERS`.
        images: folder of the image files, which may be in subfolders.
        annotations: {split: files, or folders of files}; the split NO_SPLIT leaves splitting
            to `find_cases`.
        destination: the data set's folder; an existing one is replaced.
        classes: {class in the files: class in the data set}; two may become one, and None drops a class.
        only_named: refuse classes that are neither in `classes` nor in `wanted`; otherwise they keep
            their names.
        wanted: the classes to keep, by their names in the data set; None keeps all.
        combine: how to treat an image that several files annotate: 'union' or 'intersection' of the masks
            of a class, or 'refuse'. Shapes in one file are always united.
        empty_is_labelled: an annotated image without shapes counts as labelled, with none of the classes;
            False counts it as unlabelled.
        cases: a sheet with the columns of cases.csv, which sets patient, split and order.
        counts: see `case_table.split_by_counts`.
        window: of the grey values, see `grey.read_grey`.
        unreadable: 'refuse', or 'skip' to leave out unlabelled images that cannot be read; the summary lists
            them. Annotated ones are refused in any case.
        link: link to images instead of copying them, for a data set that is only looked at.
        options: further arguments of the format's reader.

    Returns:
        A summary, line by line: what was imported, and what was left out and why.

    Raises:
        InputError: one line for each fault in any file.
    """
    images, destination = Path(images), Path(destination)
    _check_settings(images, annotations, destination, combine)
    faults: list[str] = []
    choice = _ClassChoice(classes, wanted, only_named)
    files = find_image_files(images, faults)
    path_of = {case: file.relative_to(images).as_posix() for case, file in files.items()}
    read = make_reader(format_name, options or {}, images, files, faults)
    annotation_files = list_annotation_files(format_name, annotations, faults)
    found = _read(read, annotation_files, images, path_of, choice, combine, faults)
    known, lines = _rows_from_user(cases, counts, files, found, faults)
    labelled = {
        case
        for case, of_case in found.by_case.items()
        if empty_is_labelled or any(annotation.shapes for annotation in of_case)
    }
    left_out = _unreadable(files, labelled, window) if unreadable == "skip" else {}
    files = {case: file for case, file in files.items() if case not in left_out}
    rows = case_rows(files, labelled, found.split_of, known, str(cases or "counts"), faults)
    for row in rows:
        sizes = {annotation.spacing for annotation in found.by_case.get(row["case"], ())} - {None}
        if not row.get("spacing") and len(sizes) == 1:
            row["spacing"] = " ".join(f"{size:.6g}" for size in sizes.pop() or ())
    class_counts: Counter[str] = Counter()
    readings: list[Reading] = []
    without_pixel: list[tuple[str, str]] = []
    with atomic(destination) as private:
        (private / "images").mkdir(parents=True)
        for case in sorted(labelled):
            folder = private / "labels" / case
            of_case = found.by_case[case]
            if not empty_is_labelled:  # who drew nothing in it has not looked at it
                of_case = [annotation for annotation in of_case if annotation.shapes]
            present = write_labels(
                folder, files[case], of_case, combine, faults, readings, without_pixel=without_pixel
            )
            class_counts.update(present)
        for case, file in sorted(files.items()):
            try:
                copy_image(file, private / "images" / case, window, link=link)
            except InputError as error:
                faults.append(str(error))
        raise_faults(list(dict.fromkeys(faults)))
        write_case_rows(private / "cases.csv", rows, path_of)
        write_table(
            private / READERS_FILE,
            ("case", "class", "readers", "dice"),
            (
                [reading.case, reading.name, reading.readers, f"{reading.dice:.6f}"]
                for reading in compared(readings)
            ),
        )
        missing = {name for names in found.missing.values() for name in names}
        counts = {UNREADABLE: len(left_out), "annotated, without an image file": len(missing)}
        write_left_out(private / LEFT_OUT, counts)
        keep_timestamps(private, destination)
    if combine == "intersection" and empty_is_labelled:
        lines += _emptied_line(found.by_case)
    lines += [*line_without_pixel(without_pixel), *skipped_line(left_out.values())]
    if unmet := sorted(set(classes) - choice.met):
        lines.append(
            LeftOut(f"classes: no annotation has the class {shortlist(unmet)}; correct or remove the name")
        )
    return [*_summary(found, len(files) - len(labelled), class_counts, choice), *lines]


def _emptied_line(by_case: Mapping[str, Sequence[Annotation]]) -> list[str]:
    """A line that counts and lists the cases that have annotations with and without shapes, if any."""
    emptied = [
        case for case, of_case in sorted(by_case.items()) if len({bool(a.shapes) for a in of_case}) > 1
    ]
    if not emptied:
        return []
    return [
        LeftOut(
            f"{len(emptied)} images have shapes in one annotation and none in another, so their intersection "
            f"has no class: {shortlist(emptied, 20)}; if nobody has looked at the other, remove it or set "
            "`empty: unlabelled`"
        )
    ]


def skipped_line(unreadable: Collection[str]) -> list[str]:
    """A line of the summary that counts and lists the unreadable images that were skipped, if any."""
    if not unreadable:
        return []
    listed = "; ".join(sorted(unreadable))
    return [LeftOut(f"skipped {len(unreadable)} unreadable images without labels: {listed}")]


def _unreadable(
    files: Mapping[str, Path], labelled: Collection[str], window: tuple[float, float] | None
) -> dict[str, str]:
    """{case: what is wrong} of the images without labels that cannot be read."""
    found = {}
    for case, file in sorted(files.items()):
        if case not in labelled:
            try:
                read_grey(file, window)
            except InputError as error:
                found[case] = str(error)
    return found


def _check_settings(
    images: Path, annotations: Mapping[str, Sequence[Path]], destination: Path, combine: str
) -> None:
    """Refuse unknown settings, and a destination that holds an input."""
    if combine not in COMBINATIONS:
        raise InputError(f"combine: {combine!r} is unknown; write {', '.join(COMBINATIONS)}")
    if unknown := sorted(set(annotations) - {*LABELLED_SPLITS, NO_SPLIT}):
        raise InputError(f"annotations: split {unknown[0]!r} is unknown; write train, val or test")
    for path in (images, *(path for paths in annotations.values() for path in paths)):
        if path.resolve().is_relative_to(destination.resolve()):
            raise InputError(f"{destination}: would overwrite the input {path}; choose another folder")


def _read(
    read: Reader,
    annotation_files: Iterable[tuple[str, Path, str]],
    images: Path,
    path_of: Mapping[str, str],
    choice: _ClassChoice,
    combine: str,
    faults: list[str],
) -> _Gathered:
    """Read all annotation files and find the image of each annotation."""
    found = _Gathered()
    annotations: list[Annotation] = []
    splits: list[str] = []
    for split, path, folder in annotation_files:
        try:
            of_file = list(read(path, choice.mapper(path)))
        except InputError as error:
            faults += str(error).splitlines()
            continue
        # A reader of many files knows the folder of each.
        annotations += [replace(entry, folder=folder) if folder != "." else entry for entry in of_file]
        splits += [split] * len(of_file)
    matches = match_images(annotations, path_of, images, faults)
    for annotation, split, match in zip(annotations, splits, matches, strict=True):
        found.skipped.update(annotation.skipped)
        try:
            if match is not None:
                _assign(annotation, split, match, combine, found)
        except InputError as error:
            faults.append(f"{annotation.source}: image {annotation.name!r} {error}")
    faults += choice.faults()
    if not faults and not found.by_case:
        faults.append(f"{images}: none of the images is annotated; check the paths of images and annotations")
    elif (
        not faults
        and choice.dropped
        and not any(a.shapes for of_case in found.by_case.values() for a in of_case)
    ):
        met = list_counts(choice.dropped, 50)
        faults.append(f"{images}: no shape has a wanted class (the classes are: {met}); correct `classes`")
    return found


def _rows_from_user(
    cases: Path | None,
    counts: Mapping[str, int] | None,
    files: Mapping[str, Path],
    found: _Gathered,
    faults: list[str],
) -> tuple[dict[str, Row], list[str]]:
    """{case: row} from the sheet or the counts, and lines for the summary."""
    try:
        if counts is not None:
            names = {*found.by_case, *(case for of_split in found.missing.values() for case in of_split)}
            return ({} if faults else split_by_counts(names, counts)), []
        if cases is None:
            return {}, []
        rows, missing = read_case_sheet(cases, files, faults)
    except InputError as error:
        faults += str(error).splitlines()
        return {}, []
    line = f"{cases}: {len(missing)} cases without an image file ({', '.join(missing)})"
    return rows, [LeftOut(line)] if missing else []


def _assign(annotation: Annotation, split: str, match: Match, combine: str, found: _Gathered) -> None:
    """Assign an annotation to its case, or record that it has no image."""
    case = match.case
    if case is None:
        found.missing[split].append(match.name)
        return
    if found.split_of.setdefault(case, split) != split:
        raise InputError(f"is annotated in {found.split_of[case]} already; remove one of the two")
    others = [other.source for other in found.by_case.get(case, ())]
    in_file = [other for other in found.by_case.get(case, ()) if other.source == annotation.source]
    if any(other.annotator == annotation.annotator or other.name != annotation.name for other in in_file):
        raise InputError("is listed twice; remove one of the two")
    if others and combine == "refuse":
        place = f"by {in_file[0].annotator}" if in_file else f"in {others[0]}"
        raise InputError(f"is annotated {place} already; remove one, or set combine to union")
    if len(others) > len(in_file) and not match.exact:
        raise InputError(
            f"is annotated in {others[0]} too, and the two may mean different folders; write the whole path "
            "of the image in both"
        )
    found.by_case[case].append(annotation)


def _summary(
    found: _Gathered, unlabelled: int, class_counts: Counter[str], choice: _ClassChoice
) -> list[str]:
    """The summary; it names every missing image, because labels are expensive."""
    lines: list[str] = []
    for split in dict.fromkeys([*found.split_of.values(), *found.missing]):
        imported = sum(found.split_of[case] == split for case in found.by_case)
        missing = sorted(found.missing.get(split, ()))
        line = f"{split or 'annotated'}: imported {imported} of {imported + len(set(missing))} images"
        if missing:
            line += f"; {len(set(missing))} without an image file ({', '.join(dict.fromkeys(missing))})"
        lines.append(LeftOut(line) if missing else line)
    lines.append(f"unlabelled: {unlabelled} images")
    counts = list_counts(class_counts)
    lines.append("cases per class: " + (counts or "none"))
    for text, counter, asked in (
        ("dropped {} shapes of other classes", choice.dropped, choice.dropped.keys() <= choice.names.keys()),
        ("skipped {} shapes", found.skipped, False),
    ):
        if counter:
            listed = list_counts(counter, 50)
            line = f"{text.format(counter.total())}: {listed}"
            lines.append(line if asked else LeftOut(line))
    return lines
