"""Import of annotations of other programs, and of their images, into the file contract."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samcarry.data.case_table import Row, case_rows, read_case_sheet, split_by_counts, write_case_rows
from samcarry.data.contract import SPLITS, is_class_name
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.formats.shapes import Annotation, Choose
from samcarry.importing.folders import case_of, copy_image, find_image_files, keep_times
from samcarry.importing.labels import COMBINATIONS, write_labels
from samcarry.importing.readers import Reader, files_of, reader_of
from samcarry.storage.files import atomic

NO_SPLIT = ""


@dataclass(frozen=True)
class _Classes:
    """Which classes are wanted and what they are called here; what was met is counted."""

    names: Mapping[str, str | None]
    wanted: Sequence[str] | None
    only_named: bool
    dropped: Counter[str]

    def chooser(self, source: Path, unknown: dict[str, Path]) -> Choose:
        """What a reader of `source` asks; a class that is refused is noted in `unknown`, once."""

        def choose(name: str) -> str | None:
            named = name in self.names
            here = self.names[name] if named else name
            if here is not None and not named and self.only_named and here not in (self.wanted or ()):
                unknown.setdefault(name, source)
                return None
            if here is None or (self.wanted is not None and here not in self.wanted):
                self.dropped[name] += 1
                return None
            if not is_class_name(here):
                raise InputError(f"is of class {here!r}, no name for a file; rename it in classes")
            return here

        return choose


@dataclass(frozen=True)
class _Found:
    """What the annotation files hold.

    Attributes:
        of_case: {case: annotations}.
        split_of: {case: split}.
        missing: {split: cases whose image is not there}.
        passed_over: what is no shape that can be taken.
    """

    of_case: dict[str, list[Annotation]] = field(default_factory=lambda: defaultdict(list))
    split_of: dict[str, str] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    passed_over: Counter[str] = field(default_factory=Counter)


def import_annotations(
    form: str,
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
    options: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write images/, labels/ and cases.csv to `destination`, whole or not at all.

    Images are copied as they are, but for DICOM (see `image_folder.copy_image`). Those without annotation
    become unlabelled cases; annotated ones that are not there are left out and named in the summary. A
    case is named after its image, of which no two may share a name, whatever their subfolders.

    Args:
        form: see `annotation_forms`.
        images: folder of the image files, which may lie in subfolders.
        annotations: {split: files, or folders of files}; the split NO_SPLIT leaves splitting
            to `find_cases`.
        destination: the data set's folder; one that is there already is replaced.
        classes: {class in the files: class here}; two may become one, and None drops a class.
        only_named: refuse classes that are neither in `classes` nor in `wanted`; else they are
            taken as they are.
        wanted: the classes to keep, by their names here; None keeps all.
        combine: what becomes of an image that several files annotate: 'union' or 'intersection' of
            the masks of a class, or 'refuse'. Shapes of one file are always united.
        empty_is_labelled: an image that is annotated without any shape shows none of the classes;
            False takes it for one that nobody has looked at yet.
        cases: a sheet in the form of cases.csv, whose patient, split and order hold.
        counts: see `case_rows.split_by_counts`.
        window: of the grey values, see `images.read_grey`.
        options: further arguments of the form's reader.

    Returns:
        A summary: what was taken, and what was left out and why.

    Raises:
        InputError: a line for each fault of any file.
    """
    images, destination = Path(images), Path(destination)
    _check_settings(images, annotations, destination, combine)
    faults: list[str] = []
    choice = _Classes(classes, wanted, only_named, Counter())
    files = find_image_files(images, faults)
    read = reader_of(form, options or {}, files, faults)
    found = _read(read, files_of(form, annotations, faults), images, files, choice, combine, faults)
    known, lines = _known_rows(cases, counts, files, found, faults)
    labelled = {
        case
        for case, several in found.of_case.items()
        if empty_is_labelled or any(annotation.shapes for annotation in several)
    }
    rows = case_rows(files, labelled, found.split_of, known, str(cases or "counts"), faults)
    present: Counter[str] = Counter()
    with atomic(destination) as private:
        (private / "images").mkdir(parents=True)
        for case in sorted(labelled):
            folder = private / "labels" / case
            present.update(write_labels(folder, files[case], found.of_case[case], combine, faults))
        for case, file in sorted(files.items()):
            try:
                copy_image(file, private / "images" / case, window)
            except InputError as error:
                faults.append(str(error))
        raise_faults(list(dict.fromkeys(faults)))
        write_case_rows(private / "cases.csv", rows)
        keep_times(private, destination)
    return [*_summary(found, len(files) - len(labelled), present, choice.dropped), *lines]


def _check_settings(
    images: Path, annotations: Mapping[str, Sequence[Path]], destination: Path, combine: str
) -> None:
    if combine not in COMBINATIONS:
        raise InputError(f"combine: {combine!r} is unknown; write {', '.join(COMBINATIONS)}")
    if unknown := sorted(set(annotations) - {*SPLITS[:3], NO_SPLIT}):
        raise InputError(f"annotations: split {unknown[0]!r} is unknown; write train, val or test")
    for path in (images, *(path for paths in annotations.values() for path in paths)):
        if path.resolve().is_relative_to(destination.resolve()):
            raise InputError(f"{destination}: would replace {path}, which is read; name another")


def _read(
    read: Reader,
    annotation_files: Iterable[tuple[str, Path]],
    images: Path,
    files: Mapping[str, Path],
    choice: _Classes,
    combine: str,
    faults: list[str],
) -> _Found:
    """Read every annotation file and find the image of every annotation."""
    found = _Found()
    unknown: dict[str, Path] = {}
    for split, path in annotation_files:
        try:
            annotations = list(read(path, choice.chooser(path, unknown)))
        except InputError as error:
            faults += str(error).splitlines()
            continue
        for annotation in annotations:
            found.passed_over.update(annotation.passed_over)
            try:
                _add(annotation, split, images, files, combine, found)
            except InputError as error:
                faults.append(f"{annotation.source}: image {annotation.name!r} {error}")
    for name, path in sorted(unknown.items()):
        faults.append(f"{path}: class {name!r} is not named in classes; name it there, or null to drop it")
    if not faults and not found.of_case:
        faults.append(f"{images}: holds no image that is annotated; check the paths of both")
    elif (
        not faults
        and choice.dropped
        and not any(a.shapes for several in found.of_case.values() for a in several)
    ):
        met = shortlist([f"{name} {count}" for name, count in sorted(choice.dropped.items())], 50)
        faults.append(f"{images}: no shape is of a class asked for (they are: {met}); mend classes")
    return found


def _known_rows(
    cases: Path | None,
    counts: Mapping[str, int] | None,
    files: Mapping[str, Path],
    found: _Found,
    faults: list[str],
) -> tuple[dict[str, Row], list[str]]:
    """What a sheet or counts say of cases, and lines of summary."""
    try:
        if counts is not None:
            names = {*found.of_case, *(case for several in found.missing.values() for case in several)}
            return ({} if faults else split_by_counts(names, counts)), []
        if cases is None:
            return {}, []
        rows, missing = read_case_sheet(cases, files, faults)
    except InputError as error:
        faults += str(error).splitlines()
        return {}, []
    line = f"{cases}: {len(missing)} cases without an image file ({', '.join(missing)})"
    return rows, [line] if missing else []


def _add(
    annotation: Annotation, split: str, images: Path, files: Mapping[str, Path], combine: str, found: _Found
) -> None:
    """Put an annotation to its case, or its name to the missing ones."""
    case = case_of(annotation, images)
    if case not in files:
        found.missing[split].append(case)
        return
    if found.split_of.setdefault(case, split) != split:
        raise InputError(f"is annotated in {found.split_of[case]} already; remove one of the two")
    others = [other.source for other in found.of_case.get(case, ())]
    if annotation.source in others:
        raise InputError("is there twice; remove one of the two")
    if others and combine == "refuse":
        raise InputError(f"is annotated in {others[0]} already; remove one, or set combine to union")
    found.of_case[case].append(annotation)


def _summary(found: _Found, unlabelled: int, present: Counter[str], dropped: Counter[str]) -> list[str]:
    """Lines on what was taken and what was not; missing images are all named, for labels are dear."""
    lines = []
    for split in dict.fromkeys([*found.split_of.values(), *found.missing]):
        taken = sum(found.split_of[case] == split for case in found.of_case)
        missing = sorted(found.missing.get(split, ()))
        line = f"{split or 'annotated'}: took {taken} of {taken + len(set(missing))} images"
        if missing:
            line += f"; {len(set(missing))} without an image file ({', '.join(dict.fromkeys(missing))})"
        lines.append(line)
    lines.append(f"unlabelled: {unlabelled} images")
    lines.append("cases of a class: " + (", ".join(f"{n} {c}" for n, c in sorted(present.items())) or "none"))
    for verb, counter in (
        ("dropped {} shapes not asked for", dropped),
        ("passed over {}", found.passed_over),
    ):
        if counter:
            told = shortlist([f"{name} {count}" for name, count in sorted(counter.items())], 50)
            lines.append(f"{verb.format(counter.total())}: {told}")
    return lines
