"""Images before anything is labelled: found, embedded by SAM in chunks that survive a kill, and shown."""

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from samcarry.data.contract import find_images, find_labels, read_rows
from samcarry.errors import InputError, raise_faults, shortlist
from samcarry.images.grey import read_grey, resize_grey
from samcarry.review.coverage import Choice, choose_first, space_of
from samcarry.runtime.progress import progress
from samcarry.storage.files import atomic
from samcarry.storage.tables import write_table

log = logging.getLogger(__name__)
CHUNK = 32
"""Images whose embeddings are saved together: what a kill can cost."""

TILE = 168
"""Pixels of the long side of a picture on the contact sheet."""

_TRAINING_SPLITS = ("", "train")


@dataclass(frozen=True)
class FirstImage:
    """An image of a data set that may have no label at all.

    Attributes:
        case: its name.
        patient: whose it is.
        image: the file.
        labelled: whether it has labels that training may read; such an image is not proposed.
        row: its row of cases.csv, {} if there is none.
    """

    case: str
    patient: str
    image: Path
    labelled: bool
    row: dict[str, str]


def find_first_images(
    folder: str | Path, patient_pattern: str | None, columns: Sequence[str]
) -> list[FirstImage]:
    """The images that could be labelled, and those that are; no image is opened.

    Images with labels in val or test are left out. Labels of a case that cases.csv puts under `unlabelled`
    are passed over, as everywhere.

    Args:
        folder: with images/, and maybe labels/ and cases.csv.
        patient_pattern: as in `cases.find_cases`; a name in which it finds nothing is its own patient.
        columns: columns of cases.csv that are wanted.

    Raises:
        InputError: a line for each fault of names and of cases.csv; a column that is not there.
    """
    folder = Path(folder)
    faults: list[str] = []
    warnings: list[str] = []
    images = find_images(folder / "images", faults, warnings)
    labels = find_labels(folder / "labels", images, faults)
    rows, _ = read_rows(folder / "cases.csv", images, faults)
    for column in columns:
        if not any(column in row for row in rows.values()):
            known = sorted({name for row in rows.values() for name in row})
            faults.append(
                f"{folder / 'cases.csv'}: has no column {column!r} (columns: {', '.join(known) or 'none'}); "
                "mend review.first.columns or add it"
            )
    raise_faults(faults)
    for warning in warnings:
        log.warning(warning)
    found = []
    for case, image in sorted(images.items()):
        row = rows.get(case, {})
        split = row.get("split", "")
        has_labels = case in labels and split != "unlabelled"
        if has_labels and split not in _TRAINING_SPLITS:
            continue
        match = re.search(patient_pattern, case) if patient_pattern else None
        patient = row.get("patient") or (match[1] if match else case)
        found.append(FirstImage(case, patient, image, has_labels, row))
    return found


def pooled_embeddings(
    images: Sequence[FirstImage],
    embed: Callable[[Sequence[NDArray[np.uint8]]], Iterable[ArrayLike]],
    cache: Path,
    *,
    size: tuple[int, int],
    window: tuple[float, float] | None,
    about: str,
) -> NDArray[np.float32]:
    """The mean embedding of each image, (image, channel), chunk by chunk; chunks that are there are read.

    A chunk's file is named after what is in it (names, sizes and times of the images, `about`), so that it
    can be trusted. Files of other chunks are removed at the end.

    Args:
        images: in the order of the answer.
        embed: from grey images (height, width) at `size` to the embedding (channel, rows, columns) of each.
        cache: folder of the chunks.
        size: (height, width) that images are resized to.
        window: as in `images.read_grey`.
        about: what else the embeddings depend on: the SAM and its checkpoint.

    Raises:
        InputError: a line for each image that cannot be read.
    """
    faults: list[str] = []
    found, used = [], set()
    starts = range(0, len(images), CHUNK)
    for start in progress(starts, f"chunks of {CHUNK} images embedded"):
        chunk = images[start : start + CHUNK]
        file = cache / f"{_digest(chunk, size, window, about)}.safetensors"
        used.add(file)
        vectors = _read_chunk(file)
        if vectors is None:
            greys = [_read_grey(entry.image, size, window, faults) for entry in chunk]
            if faults:
                continue  # so that one run tells all faults
            embeddings = embed([grey for grey in greys if grey is not None])
            vectors = np.stack([np.asarray(each, np.float32).mean(axis=(1, 2)) for each in embeddings])
            with atomic(file) as private:
                save_file({"embeddings": vectors}, private)
        found.append(vectors)
    raise_faults(faults)
    for file in set(cache.glob("*.safetensors")) - used:
        file.unlink()
    return np.concatenate(found)


def propose(
    images: Sequence[FirstImage],
    embeddings: NDArray[np.float32],
    *,
    columns: Sequence[str],
    count: int,
    seed: int,
) -> list[tuple[FirstImage, Choice]]:
    """The first `count` images worth labelling, with their distances (see `coverage.choose_first`).

    Raises:
        InputError: every image has labels.
    """
    labelled = [place for place, entry in enumerate(images) if entry.labelled]
    if len(labelled) == len(images):
        raise InputError(
            "every image has labels already, so that none can be proposed: add images to the folder"
        )
    space = space_of(embeddings, {name: [entry.row.get(name, "") for entry in images] for name in columns})
    patients = [entry.patient for entry in images]
    chosen = choose_first(space, patients, count, labelled=labelled, seed=seed)
    several = [patient for patient in set(patients) if sum(patients[c.index] == patient for c in chosen) > 1]
    if several:
        log.info("more than one image was taken of %s", shortlist(sorted(several)))
    return [(images[choice.index], choice) for choice in chosen]


def write_first(
    path: str | Path, chosen: Sequence[tuple[FirstImage, Choice]], columns: Sequence[str]
) -> None:
    """Write order (from 1), case, patient, image (file name), distance and `columns` as CSV, atomically."""
    rows = []
    for order, (entry, choice) in enumerate(chosen, start=1):
        distance = "" if np.isnan(choice.distance) else f"{choice.distance:.4f}"
        about = [entry.row.get(name, "") for name in columns]
        rows.append([order, entry.case, entry.patient, entry.image.name, distance, *about])
    write_table(path, ["order", "case", "patient", "image", "distance", *columns], rows)


def draw_contact_sheet(
    path: str | Path, images: Sequence[FirstImage], window: tuple[float, float] | None, across: int = 8
) -> None:
    """Draw the images with their order and names, `across` in a row, each with its own aspect."""
    line, gap = 18, 8
    cell = (TILE + gap, TILE + line + gap)
    rows = -(-len(images) // across)
    sheet = Image.new("L", (min(across, len(images)) * cell[0] + gap, rows * cell[1] + gap), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for place, entry in enumerate(images):
        left, top = gap + place % across * cell[0], gap + place // across * cell[1]
        picture = ImageOps.contain(Image.fromarray(read_grey(entry.image, window)), (TILE, TILE))
        sheet.paste(picture, (left + (TILE - picture.width) // 2, top + (TILE - picture.height) // 2))
        text = f"{place + 1}  {entry.case}"
        while draw.textlength(text, font) > TILE and len(text) > 4:
            text = text[:-2] + "…"
        draw.text((left, top + TILE + 2), text, 0, font)
    with atomic(path) as private:
        sheet.save(private, format="PNG")


def _digest(
    chunk: Sequence[FirstImage], size: tuple[int, int], window: tuple[float, float] | None, about: str
) -> str:
    digest = hashlib.sha256(repr((tuple(size), window, about)).encode())
    for entry in chunk:
        stat = entry.image.stat()
        digest.update(f"{entry.image.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:24]


def _read_chunk(file: Path) -> NDArray[np.float32] | None:
    """The embeddings of a chunk, None if it is not there or damaged."""
    try:
        return load_file(file)["embeddings"]
    except (OSError, SafetensorError, KeyError):
        return None


def _read_grey(
    image: Path, size: tuple[int, int], window: tuple[float, float] | None, faults: list[str]
) -> NDArray[np.uint8] | None:
    try:
        return resize_grey(read_grey(image, window), *size)
    except InputError as error:
        faults.append(str(error))
        return None
