"""Import of wrist studies like GRAZPEDWRI-DX: CVAT files, and a table of patients, sides and views."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.data.cases import hash_fraction
from samcarry.data.contract import COLUMNS, IMPORTED_FROM, LABELLED_SPLITS, MIRRORED
from samcarry.data.left_out import FILE as LEFT_OUT
from samcarry.data.left_out import write_left_out
from samcarry.errors import InputError, LeftOut, list_counts, raise_faults, shortlist
from samcarry.formats.cvat import read_cvat
from samcarry.geometry.rasterise import draw_masks
from samcarry.geometry.shapes import Annotation, ClassMapper, class_mapper
from samcarry.images.grey import read_grey, write_grey
from samcarry.images.masks import write_mask
from samcarry.importing.annotations import UNREADABLE, skipped_line
from samcarry.importing.folders import find_image_files, keep_timestamps
from samcarry.importing.labels import line_without_pixel
from samcarry.importing.matching import match_images
from samcarry.storage.files import atomic
from samcarry.storage.sheets import read_sheet
from samcarry.storage.tables import write_table

_PROJECTIONS = _FRONTAL, _LATERAL, _OBLIQUE = ("1", "2", "3")  # in dataset.csv
_FIX = "check the paths of images, table and annotations, or leave this one out"


@dataclass(frozen=True)
class ImageRecord:
    """One image in dataset.csv."""

    patient: str
    is_right: bool
    is_frontal: bool


def read_image_table(path: Path) -> dict[str, ImageRecord]:
    """dataset.csv as {filestem: record}.

    Raises:
        InputError: one line for each unknown laterality or projection, and each repeated filestem.
    """
    records: dict[str, ImageRecord] = {}
    faults = []
    for row in read_sheet(path, ["filestem", "patient_id", "laterality", "projection"]):
        stem = row["filestem"]
        if row["laterality"] not in ("L", "R"):
            faults.append(f"{path}: laterality {row['laterality']!r} of {stem!r}; write L or R")
        if row["projection"] not in _PROJECTIONS:
            faults.append(f"{path}: projection {row['projection']!r} of {stem!r}; write 1, 2 or 3")
        if stem in records:
            faults.append(f"{path}: has two rows for {stem!r}; remove one")
        records[stem] = ImageRecord(
            row["patient_id"], row["laterality"] == "R", row["projection"] == _FRONTAL
        )
    raise_faults(faults)
    return records


def read_stems(path: Path) -> list[str]:
    """The names in the column filestem (or file_stem) of a CSV file, in order.

    Raises:
        InputError: there is no such column or no row.
    """
    rows = read_sheet(path)
    for column in ("filestem", "file_stem"):
        if rows and column in rows[0]:
            return [row[column] for row in rows]
    raise InputError(f"{path}: has no column filestem or no row; list the names of images there")


@dataclass(frozen=True)
class _ImageSource:
    """The images, and the settings that decide which are imported and how."""

    folder: Path
    files: Mapping[str, Path]
    records: Mapping[str, ImageRecord]
    frontal_only: bool
    mirror_right: bool
    window: tuple[float, float] | None

    def skip_reason(self, name: str) -> str:
        """Why an image is skipped; '' if it is imported. Names of images without a file may have folders."""
        record = self.records.get(name.rpartition("/")[2])
        if record is None:
            return "not in the table"
        if self.frontal_only and not record.is_frontal:
            return "not frontal"
        return "" if name in self.files else "without an image file"

    def is_mirrored(self, stem: str) -> bool:
        """Whether image and masks are mirrored."""
        return self.mirror_right and self.records[stem].is_right


def import_cvat(
    *,
    images: Path,
    annotations: Mapping[str, Sequence[Path]],
    table: Path,
    order: Path | None,
    unlabelled: Path | int | None,
    label: str | None,
    attribute: str | None,
    classes: Sequence[str] | None,
    destination: Path,
    frontal_only: bool = True,
    mirror_right: bool = True,
    window: tuple[float, float] | None = None,
    seed: int = 0,
    unreadable: str = "refuse",
) -> list[str]:
    """Write images/, labels/ and cases.csv to `destination`, completely or not at all.

    Images that are not in the table, have another projection or have no image file are skipped and counted.
    Annotations are drawn on the image as stored; then image and masks of right hands are mirrored together
    to look like left hands. Images become 8-bit grey PNGs.

    Args:
        images: folder of the image files, which may be in subfolders.
        annotations: CVAT files of train, val and test; a split may be missing.
        table: dataset.csv with filestem, patient_id, laterality (L or R) and projection (1 is frontal).
        order: training_order.csv with the column file_stem, in the order in which cases enter X^n.
        unlabelled: CSV with the column filestem, or the number of images to draw from those in the table
            that have an image file and no annotation; None imports all of these.
        label: see `read_cvat`.
        attribute: see `read_cvat`.
        classes: the wanted classes; None imports all.
        destination: the data set's folder; an existing one is replaced.
        frontal_only: skip the other projections.
        mirror_right: mirror right hands.
        window: see `read_grey`.
        seed: for drawing the unlabelled images.
        unreadable: 'refuse', or 'skip' to leave out unlabelled images that cannot be read; they are listed.

    Returns:
        One line per split with what was imported and skipped, and a line with what was dropped.

    Raises:
        InputError: one line per fault: an unreadable file, an image whose size differs from its annotation's,
            an image that is annotated twice, a split without any image file.
    """
    images, destination = Path(images), Path(destination)
    if images.resolve().is_relative_to(destination.resolve()):
        raise InputError(f"{destination}: would overwrite the folder of the images; choose another folder")
    if unknown := sorted(set(annotations) - set(LABELLED_SPLITS)):
        raise InputError(f"annotations: split {unknown[0]!r} is unknown; write train, val or test")
    faults: list[str] = []
    source = _ImageSource(
        images, find_image_files(images, faults), read_image_table(table), frontal_only, mirror_right, window
    )
    rank = {stem: place for place, stem in enumerate(read_stems(order) if order else [])}
    read = partial(read_cvat, label=label, attribute=attribute)
    dropped: Counter[str] = Counter()
    without_pixel: list[tuple[str, str]] = []
    lines: list[str] = []
    split_of: dict[str, str] = {}  # of every annotated image, including skipped ones
    rows: list[tuple[str, str, str, int | str]] = []

    entries = {
        split: list(_entries(annotations[split], read, classes, dropped, faults))
        for split in LABELLED_SPLITS
        if split in annotations
    }
    path_of = {stem: file.relative_to(images).as_posix() for stem, file in source.files.items()}
    matches = iter(match_images([e for of in entries.values() for e in of], path_of, images, faults))
    with atomic(destination) as private:
        for split, of_split in entries.items():
            named = [(match.case or match.name, entry) for entry in of_split if (match := next(matches))]
            imported, line = _import_annotated(split, named, source, private, split_of, without_pixel, faults)
            lines.append(line)
            for stem in imported:
                place = rank.get(stem, "") if split == "train" else ""
                rows.append((stem, source.records[stem].patient, split, place))
        is_listed = isinstance(unlabelled, Path)
        listed = read_stems(unlabelled) if isinstance(unlabelled, Path) else list(source.records)
        stems = [stem for stem in dict.fromkeys(listed) if stem not in split_of]
        if isinstance(unlabelled, int):
            stems = _sample([stem for stem in stems if not source.skip_reason(stem)], unlabelled, seed)
        unread: list[str] = []
        imported = _import_unlabelled(stems, source, private, unread if unreadable == "skip" else faults)
        lines += skipped_line(unread)
        reasons = Counter(map(source.skip_reason, [*split_of, *stems]))
        write_left_out(private / LEFT_OUT, {**reasons, "": 0, UNREADABLE: len(unread)})
        lines.append(_summary("unlabelled", stems, imported, source, all_named=is_listed))
        if is_listed and not imported:
            why = _summary("unlabelled", stems, imported, source, all_named=False)
            faults.append(f"{unlabelled}: none of its images is in {images} ({why}); {_FIX}")
        rows += [(stem, source.records[stem].patient, "unlabelled", "") for stem in imported]
        raise_faults(faults)
        _write_cases(private / "cases.csv", rows, source, path_of)
        keep_timestamps(private, destination)
    if dropped:
        names = list_counts(dropped, 50)
        lines.append(f"dropped {dropped.total()} shapes of other classes: {names}")
    return [*lines, *line_without_pixel(without_pixel)]


def _entries(
    paths: Sequence[Path],
    read: Callable[[Path, ClassMapper], list[Annotation]],
    classes: Sequence[str] | None,
    dropped: Counter[str],
    faults: list[str],
) -> Iterator[Annotation]:
    """The annotated images in CVAT files.

    Shapes of other classes are counted in `dropped`. A file in which no shape has a wanted class is a fault.
    """
    for path in paths:
        met: Counter[str] = Counter()

        def choose(name: str, met: Counter[str] = met) -> str | None:
            if classes is None or name in classes:
                return name
            met[name] += 1
            return None

        try:
            entries = read(path, class_mapper(choose))
        except InputError as error:
            faults += str(error).splitlines()
            continue
        if met and not any(entry.shapes for entry in entries):
            faults.append(
                f"{path}: none of its shapes has a wanted class (it has {shortlist(sorted(met))}); "
                "correct `attribute` or `classes`"
            )
        dropped += met + Counter(kind for entry in entries for kind in entry.skipped)
        yield from entries


def _import_annotated(
    split: str,
    entries: Iterable[tuple[str, Annotation]],
    source: _ImageSource,
    destination: Path,
    split_of: dict[str, str],
    without_pixel: list[tuple[str, str]],
    faults: list[str],
) -> tuple[list[str], str]:
    """Write the images and masks of one split, given with their names.

    `without_pixel` gets (case, class) of each outline that covers the centre of no pixel.

    Returns:
        The imported names, and a line for the summary.
    """
    imported: list[str] = []
    stems: list[str] = []
    for stem, entry in entries:
        if stem in split_of:
            faults.append(
                f"{entry.source}: image {entry.name!r} is annotated in {split_of[stem]} already; "
                "remove one of the two"
            )
            continue
        split_of[stem] = split
        stems.append(stem)
        if source.skip_reason(stem):
            continue
        image = _import_image(stem, source, destination, faults)
        if image is None:
            continue
        if image.shape != entry.size:
            rows, columns = entry.size or (0, 0)
            faults.append(
                f"{source.files[stem]}: is {image.shape[1]} x {image.shape[0]}, but its annotation in "
                f"{entry.source} is for {columns} x {rows} (width x height); use the image "
                "that was annotated"
            )
            continue
        folder = destination / "labels" / stem
        folder.mkdir(parents=True)
        tiny: list[str] = []
        for name, mask in draw_masks(entry, *image.shape, faults, tiny).items():
            if not mask.any():
                continue
            mirrored = mask[:, ::-1] if source.is_mirrored(stem) else mask
            write_mask(folder / f"{name}.png", mirrored)
        without_pixel += [(stem, name) for name in tiny]
        imported.append(stem)
    line = _summary(split, stems, imported, source)
    if not imported and not faults:
        faults.append(f"{source.folder}: has no image of {split} that can be imported ({line}); {_FIX}")
    return imported, line


def _sample(stems: Sequence[str], count: int, seed: int) -> list[str]:
    """A random choice of `count` stems; adding an image replaces at most one of them."""
    return sorted(stems, key=lambda stem: hash_fraction(f"unlabelled:{seed}:{stem}"))[:count]


def _import_unlabelled(
    stems: Sequence[str], source: _ImageSource, destination: Path, faults: list[str]
) -> list[str]:
    """Write unlabelled images; return the imported names."""
    return [
        stem
        for stem in stems
        if not source.skip_reason(stem) and _import_image(stem, source, destination, faults) is not None
    ]


def _import_image(
    stem: str, source: _ImageSource, destination: Path, faults: list[str]
) -> NDArray[np.uint8] | None:
    """Write an image as an 8-bit grey PNG, mirrored if it is a right hand; return it unmirrored."""
    try:
        image = read_grey(source.files[stem], source.window)
    except InputError as error:
        faults.append(str(error))
        return None
    mirrored = image[:, ::-1] if source.is_mirrored(stem) else image
    write_grey(destination / "images" / f"{stem}.png", mirrored)
    return image


def _summary(
    split: str, stems: Sequence[str], imported: Sequence[str], source: _ImageSource, *, all_named: bool = True
) -> str:
    """One line for a split: how many images were imported, how many skipped, and why."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for stem in stems:
        if reason := source.skip_reason(stem):
            reasons[reason].append(stem)
    # Name all images that the user listed; for those that only the table lists, a few names are enough.
    most = len(stems) if all_named else 5
    skipped = [f"{len(names)} {reason} ({shortlist(names, most)})" for reason, names in reasons.items()]
    mirrored = sum(source.is_mirrored(stem) for stem in imported)
    line = f"{split}: imported {len(imported)} of {len(stems)} images, {mirrored} of them mirrored"
    return LeftOut("; skipped ".join([line, ", ".join(skipped)])) if skipped else line


def _write_cases(
    path: Path,
    rows: Sequence[tuple[str, str, str, int | str]],
    source: _ImageSource,
    path_of: Mapping[str, str],
) -> None:
    """Write cases.csv; `mirrored` is 1 for images whose exported masks have to be mirrored back."""
    records = ((*row, int(source.is_mirrored(row[0])), path_of[row[0]]) for row in sorted(rows))
    write_table(path, [*COLUMNS, MIRRORED, IMPORTED_FROM], records)
