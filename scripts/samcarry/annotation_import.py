"""Import of COCO, Supervisely and LabelMe annotations and their images into the file contract."""

import csv
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.coco import read_coco
from samcarry.contract import SPLITS, is_class_name
from samcarry.errors import InputError
from samcarry.faults import raise_faults, shortlist
from samcarry.files import atomic
from samcarry.image_folder import case_of, expand_folders, find_image_files
from samcarry.images import image_size
from samcarry.labelme import read_labelme
from samcarry.masks import write_mask
from samcarry.shapes import Annotation, Choose, draw
from samcarry.supervisely import NOT_ANNOTATIONS, read_supervisely

_READERS = {"coco": read_coco, "supervisely": read_supervisely, "labelme": read_labelme}
COMBINATIONS = ("union", "intersection", "refuse")
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
    """What the annotation files hold: {case: annotations}, {case: split}, names without an image."""

    of_case: dict[str, list[Annotation]]
    split_of: dict[str, str]
    missing: dict[str, list[str]]


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
) -> list[str]:
    """Write images/, labels/ and cases.csv to `destination`, whole or not at all.

    Images are copied as they are. Those without annotation become unlabelled cases; annotated ones
    that are not there are left out and named in the summary. A case is named after its image, of
    which no two may share a name, whatever their subfolders.

    Args:
        form: coco, supervisely or labelme.
        images: folder of the image files, which may lie in subfolders.
        annotations: {split: files, or folders of JSON files}; the split NO_SPLIT leaves splitting
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
    found = _read(form, annotations, images, files, choice, combine, faults)
    unlabelled = sorted(set(files) - set(found.of_case))
    counts: Counter[str] = Counter()
    with atomic(destination) as private:
        (private / "images").mkdir(parents=True)
        for case, several in sorted(found.of_case.items()):
            if not empty_is_labelled and not any(annotation.shapes for annotation in several):
                unlabelled.append(case)
                continue
            counts.update(_write_labels(private / "labels" / case, files[case], several, combine, faults))
        if not faults and not found.of_case:
            faults.append(f"{images}: holds no image that is annotated; check the paths of both")
        raise_faults(faults)
        for case, file in sorted(files.items()):
            shutil.copyfile(file, private / "images" / f"{case}{file.suffix.lower()}")
        _write_cases(private / "cases.csv", files, found.split_of, set(unlabelled), NO_SPLIT in annotations)
    return _summary(found, sorted(unlabelled), counts, choice.dropped)


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
    form: str,
    annotations: Mapping[str, Sequence[Path]],
    images: Path,
    files: Mapping[str, Path],
    choice: _Classes,
    combine: str,
    faults: list[str],
) -> _Found:
    """Read every annotation file and find the image of every annotation."""
    found = _Found(defaultdict(list), {}, defaultdict(list))
    unknown: dict[str, Path] = {}
    for split, paths in annotations.items():
        for path in expand_folders(paths, NOT_ANNOTATIONS, faults):
            try:
                read = _READERS[form](path, choice.chooser(path, unknown))
            except InputError as error:
                faults += str(error).splitlines()
                continue
            for annotation in read:
                try:
                    _add(annotation, split, images, files, combine, found)
                except InputError as error:
                    faults.append(f"{path}: image {annotation.name!r} {error}")
    for name, path in sorted(unknown.items()):
        faults.append(f"{path}: class {name!r} is not named in classes; name it there, or null to drop it")
    return found


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


def _write_labels(
    folder: Path, image: Path, several: Sequence[Annotation], combine: str, faults: list[str]
) -> list[str]:
    """Write the masks of a case; the classes that have a pixel."""
    try:
        height, width = image_size(image)
    except InputError as error:
        faults.append(str(error))
        return []
    drawn = []
    for annotation in several:
        if annotation.size not in (None, (height, width)):
            rows, columns = annotation.size or (0, 0)
            faults.append(
                f"{image}: is {width} x {height}, its annotation in {annotation.source} is for "
                f"{columns} x {rows} (width x height); use the image that was annotated"
            )
        else:
            drawn.append(draw(annotation, height, width, faults))
    if faults:
        return []
    folder.mkdir(parents=True)
    masks = _combined(drawn, combine)
    present = [name for name, mask in masks.items() if mask.any()]
    for name in present:  # a shape may be so small that it covers no pixel's centre
        write_mask(folder / f"{name}.png", masks[name])
    return present


def _combined(drawn: Sequence[dict[str, NDArray[np.bool_]]], combine: str) -> dict[str, NDArray[np.bool_]]:
    """The masks of several files as one; with 'intersection', what all of them have."""
    masks = dict(drawn[0])
    for other in drawn[1:]:
        if combine == "intersection":
            masks = {name: mask & other[name] for name, mask in masks.items() if name in other}
        else:
            masks = {**other, **{n: mask | other[n] if n in other else mask for n, mask in masks.items()}}
    return masks


def _write_cases(
    path: Path, files: Mapping[str, Path], split_of: Mapping[str, str], unlabelled: set[str], without: bool
) -> None:
    """Write cases.csv, with a column `split` if the annotation files come by split."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("case",) if without else ("case", "split"))
        for case in sorted(files):
            split = "unlabelled" if case in unlabelled else split_of[case]
            writer.writerow((case,) if without else (case, split))


def _summary(
    found: _Found, unlabelled: Sequence[str], counts: Counter[str], dropped: Counter[str]
) -> list[str]:
    """Lines on what was taken and what was not; missing images are all named, for labels are dear."""
    lines = []
    for split in dict.fromkeys([*found.split_of.values(), *found.missing]):
        taken = sum(found.split_of[case] == split for case in found.of_case)
        missing = sorted(found.missing.get(split, ()))
        line = f"{split or 'annotated'}: took {taken} of {taken + len(set(missing))} images"
        if missing:
            line += f"; {len(set(missing))} without an image file ({', '.join(dict.fromkeys(missing))})"
        lines.append(line)
    lines.append(f"unlabelled: {len(unlabelled)} images")
    lines.append("cases of a class: " + (", ".join(f"{n} {c}" for n, c in sorted(counts.items())) or "none"))
    if dropped:
        told = shortlist([f"{name} {count}" for name, count in sorted(dropped.items())], 50)
        lines.append(f"dropped {dropped.total()} shapes not asked for: {told}")
    return lines
