"""Import of annotated GRAZPEDWRI-DX wrists (the paper's first study) into the file contract."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.cvat import AnnotatedImage, read_cvat
from samcarry.errors import InputError
from samcarry.faults import raise_faults, shortlist
from samcarry.files import atomic
from samcarry.images import IMAGE_SUFFIXES, read_grey, write_grey
from samcarry.masks import write_mask
from samcarry.sheets import read_sheet

_LABELLED = ("train", "val", "test")
_PROJECTIONS = _FRONTAL, _LATERAL, _OBLIQUE = ("1", "2", "3")  # as dataset.csv writes them
_CURE = "check the paths of images, table and annotations, or leave this one out"


@dataclass(frozen=True)
class _Record:
    """What dataset.csv knows of an image."""

    patient: str
    is_right: bool
    is_frontal: bool


@dataclass(frozen=True)
class _Source:
    """Where images come from, and which of them are taken how."""

    folder: Path
    files: Mapping[str, Path]
    records: Mapping[str, _Record]
    frontal_only: bool
    mirror_right: bool
    window: tuple[float, float] | None

    def why_skipped(self, stem: str) -> str:
        """Why an image is not taken; '' if it is."""
        if stem not in self.records:
            return "not in the table"
        if self.frontal_only and not self.records[stem].is_frontal:
            return "not frontal"
        return "" if stem in self.files else "without an image file"

    def is_mirrored(self, stem: str) -> bool:
        return self.mirror_right and self.records[stem].is_right


def import_cvat(
    *,
    images: Path,
    annotations: Mapping[str, Sequence[Path]],
    table: Path,
    order: Path | None,
    unlabelled: Path | None,
    label: str | None,
    attribute: str | None,
    classes: Sequence[str] | None,
    destination: Path,
    frontal_only: bool = True,
    mirror_right: bool = True,
    window: tuple[float, float] | None = None,
) -> list[str]:
    """Write images/, labels/ and cases.csv to `destination`, whole or not at all.

    Entries that the table does not know, other projections and images that are not there are
    skipped and counted. Annotations belong to the image as it is on disk; a right hand's image and
    masks are mirrored together, to look like a left one's. Images become 8-bit grey PNGs.

    Args:
        images: folder of the image files, which may lie in subfolders.
        annotations: CVAT files of train, val and test; a split may be missing.
        table: dataset.csv with filestem, patient_id, laterality (L or R) and projection (1 is
            frontal).
        order: training_order.csv with the column file_stem, in the order of entering X^n.
        unlabelled: CSV with the column filestem; None takes all images of the table that have no
            annotation.
        label: as in `read_cvat`.
        attribute: as in `read_cvat`.
        classes: as in `read_cvat`.
        destination: the data set's folder; one that is there already is replaced.
        frontal_only: leave out the other projections.
        mirror_right: mirror right hands.
        window: as in `read_grey`.

    Returns:
        What was taken and what was skipped, a line for each split.

    Raises:
        InputError: a line for each fault: unreadable files, an image of another size than its
            annotation, an image annotated twice, a split of which no image is there.
    """
    images, destination = Path(images), Path(destination)
    if images.resolve().is_relative_to(destination.resolve()):
        raise InputError(f"{destination}: would replace the folder of the images; name another")
    if unknown := sorted(set(annotations) - set(_LABELLED)):
        raise InputError(f"annotations: split {unknown[0]!r} is unknown; write train, val or test")
    source = _Source(images, _find(images), _read_table(table), frontal_only, mirror_right, window)
    rank = {stem: place for place, stem in enumerate(_read_stems(order) if order else [])}
    read = partial(read_cvat, label=label, attribute=attribute, classes=classes)
    faults: list[str] = []
    lines: list[str] = []
    split_of: dict[str, str] = {}  # every annotated image, those that were skipped included
    rows: list[tuple[str, str, str, int | str]] = []

    with atomic(destination) as private:
        for split in (split for split in _LABELLED if split in annotations):
            entries = ((path, entry) for path in annotations[split] for entry in read(path))
            taken, line = _take_annotated(split, entries, source, private, split_of, faults)
            lines.append(line)
            for stem in taken:
                place = rank.get(stem, "") if split == "train" else ""
                rows.append((stem, source.records[stem].patient, split, place))
        listed = list(source.records) if unlabelled is None else _read_stems(unlabelled)
        stems = [stem for stem in listed if stem not in split_of]
        taken, line = _take_unlabelled(stems, source, private, faults)
        lines.append(line)
        if unlabelled is not None and not taken:
            faults.append(f"{unlabelled}: none of its images is in {images}; {_CURE}")
        rows += [(stem, source.records[stem].patient, "unlabelled", "") for stem in taken]
        raise_faults(faults)
        _write_cases(private / "cases.csv", rows)
    return lines


def _take_annotated(
    split: str,
    entries: Iterable[tuple[Path, AnnotatedImage]],
    source: _Source,
    destination: Path,
    split_of: dict[str, str],
    faults: list[str],
) -> tuple[list[str], str]:
    """Write the images and masks of one split; the names taken and a line of summary."""
    taken: list[str] = []
    stems: list[str] = []
    for path, entry in entries:
        stem = Path(entry.name).stem
        if stem in split_of:
            faults.append(
                f"{path}: image {entry.name!r} is annotated in {split_of[stem]} already; "
                "remove one of the two"
            )
            continue
        split_of[stem] = split
        stems.append(stem)
        if source.why_skipped(stem):
            continue
        image = _take_image(stem, source, destination, faults)
        if image is None:
            continue
        if image.shape != (entry.height, entry.width):
            faults.append(
                f"{source.files[stem]}: is {image.shape[1]} x {image.shape[0]}, its annotation in "
                f"{path} is for {entry.width} x {entry.height} (width x height); use the image "
                "that was annotated"
            )
            continue
        folder = destination / "labels" / stem
        folder.mkdir(parents=True)
        for name, mask in entry.masks.items():
            if not mask.any():
                continue  # a shape so small that it covers no pixel's centre
            mirrored = mask[:, ::-1] if source.is_mirrored(stem) else mask
            write_mask(folder / f"{name}.png", mirrored)
        taken.append(stem)
    if not taken:
        faults.append(f"{source.folder}: no image of {split} is there or fit; {_CURE}")
    return taken, _summary(split, stems, taken, source)


def _take_unlabelled(
    stems: Sequence[str], source: _Source, destination: Path, faults: list[str]
) -> tuple[list[str], str]:
    """Write unlabelled images; the names taken and a line of summary."""
    taken = [
        stem
        for stem in dict.fromkeys(stems)
        if not source.why_skipped(stem) and _take_image(stem, source, destination, faults) is not None
    ]
    return taken, _summary("unlabelled", stems, taken, source)


def _take_image(stem: str, source: _Source, destination: Path, faults: list[str]) -> NDArray[np.uint8] | None:
    """Write an image as 8-bit grey PNG, mirrored if need be; return it as it was."""
    try:
        image = read_grey(source.files[stem], source.window)
    except InputError as error:
        faults.append(str(error))
        return None
    mirrored = image[:, ::-1] if source.is_mirrored(stem) else image
    write_grey(destination / "images" / f"{stem}.png", mirrored)
    return image


def _summary(split: str, stems: Sequence[str], taken: Sequence[str], source: _Source) -> str:
    """One line on a split: how many were taken, how many skipped, and why."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for stem in stems:
        if reason := source.why_skipped(stem):
            reasons[reason].append(stem)
    # What is missing is named, for labels are dear; of the unlabelled a few names are enough.
    most = 5 if split == "unlabelled" else len(stems)
    skipped = [f"{len(names)} {reason} ({shortlist(names, most)})" for reason, names in reasons.items()]
    mirrored = sum(source.is_mirrored(stem) for stem in taken)
    line = f"{split}: took {len(taken)} of {len(stems)} images, {mirrored} of them mirrored"
    return "; skipped ".join([line, ", ".join(skipped)]) if skipped else line


def _find(folder: Path) -> dict[str, Path]:
    """{name without suffix: file} of every image in a folder and its subfolders."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; set the path of the images")
    files: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith("."):
            if file.stem in files:
                raise InputError(f"{file}: is there twice, see {files[file.stem]}; remove one")
            files[file.stem] = file
    return files


def _read_table(path: Path) -> dict[str, _Record]:
    """dataset.csv as {filestem: record}."""
    records: dict[str, _Record] = {}
    faults = []
    for row in read_sheet(path, ["filestem", "patient_id", "laterality", "projection"]):
        stem = row["filestem"]
        if row["laterality"] not in ("L", "R"):
            faults.append(f"{path}: laterality {row['laterality']!r} of {stem!r}; write L or R")
        if row["projection"] not in _PROJECTIONS:
            faults.append(f"{path}: projection {row['projection']!r} of {stem!r}; write 1, 2 or 3")
        if stem in records:
            faults.append(f"{path}: has two rows for {stem!r}; remove one")
        records[stem] = _Record(row["patient_id"], row["laterality"] == "R", row["projection"] == _FRONTAL)
    raise_faults(faults)
    return records


def _read_stems(path: Path) -> list[str]:
    """The names in the column filestem (or file_stem) of a CSV file, in order."""
    rows = read_sheet(path)
    for column in ("filestem", "file_stem"):
        if rows and column in rows[0]:
            return [row[column] for row in rows]
    raise InputError(f"{path}: has no column filestem or no row; give the names of images there")


def _write_cases(path: Path, rows: Sequence[tuple[str, str, str, int | str]]) -> None:
    """Write cases.csv."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("case", "patient", "split", "order"))
        writer.writerows(sorted(rows))
