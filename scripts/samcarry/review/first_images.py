"""Choose the first images to label: find them, embed them with SAM, and list and draw the chosen ones."""

import hashlib
import logging
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from samcarry.data.contract import find_images, find_labels, read_rows
from samcarry.errors import DamagedError, InputError, raise_faults, shortlist
from samcarry.images.grey import resize_grey
from samcarry.images.text import read_shown
from samcarry.review.coverage import Choice, choose_first, feature_space
from samcarry.runtime.progress import progress
from samcarry.storage.files import atomic, sha256
from samcarry.storage.states import read_state, write_state
from samcarry.storage.tables import write_table

log = logging.getLogger(__name__)
CHUNK = 32
"""Number of images whose embeddings are saved together; at most so many are lost if a run is killed."""

TILE = 168
"""Long side of a picture on the contact sheet, in pixels."""

_TRAINING_SPLITS = ("", "train")


@dataclass(frozen=True)
class FirstImage:
    """An image of a data set that may have no labels yet.

    Attributes:
        case: name of the case.
        patient: name of the patient.
        image: the image file.
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
    """Images that could be labelled and images that are labelled for training; no image is opened.

    Labelled images of val and test are left out. Hidden labels (split `unlabelled` in cases.csv) are
    ignored.

    Args:
        folder: folder with images/ and optionally labels/ and cases.csv.
        patient_pattern: as in `cases.find_cases`; a case whose name does not match is its own patient.
        columns: required columns of cases.csv.

    Raises:
        InputError: one line per fault of a file name or of cases.csv, and per missing column.
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
                "correct review.first.columns in the config or add the column"
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
    text_masked: bool,
    sam_id: str,
) -> NDArray[np.float32]:
    """The mean embedding of each image, (image, channel), computed chunk by chunk or read from the cache.

    The file name of a chunk is a digest of everything that its embeddings depend on (names and contents of
    the images, settings, `sam_id`), so an outdated chunk is never read. Files of other chunks are removed
    at the end.

    Args:
        images: the images, in the order of the result.
        embed: maps grey images (height, width) of `size` to embeddings (channel, rows, columns).
        cache: folder of the chunks.
        size: (height, width) to which images are resized.
        window: as in `grey.read_grey`.
        text_masked: whether lines of text are filled, see `text.read_shown`.
        sam_id: identifies SAM and its checkpoint.

    Raises:
        InputError: one line per image that cannot be read.
    """
    faults: list[str] = []
    chunks, used = [], set()
    starts = range(0, len(images), CHUNK)
    for start in progress(starts, f"chunks of {CHUNK} images embedded"):
        chunk = images[start : start + CHUNK]
        file = cache / f"{_digest(chunk, size, window, text_masked, sam_id)}.state"
        used.add(file)
        vectors = _read_chunk(file)
        if vectors is None:
            greys = [_read_small(entry.image, size, window, text_masked, faults) for entry in chunk]
            if faults:
                continue  # so that one run reports all faults
            embeddings = embed([grey for grey in greys if grey is not None])
            vectors = np.stack([np.asarray(each, np.float32).mean(axis=(1, 2)) for each in embeddings])
            write_state(file, partial(np.save, arr=vectors, allow_pickle=False))
        chunks.append(vectors)
    raise_faults(faults)
    # Earlier versions wrote safetensors.
    for file in {*cache.glob("*.state"), *cache.glob("*.safetensors")} - used:
        file.unlink()
    return np.concatenate(chunks)


def propose(
    images: Sequence[FirstImage],
    embeddings: NDArray[np.float32],
    *,
    columns: Sequence[str],
    count: int,
    seed: int,
) -> list[tuple[FirstImage, Choice]]:
    """The first `count` images to label and their distances, see `coverage.choose_first`.

    Args:
        images: all images, as `find_first_images` returns them.
        embeddings: one embedding per image, (image, channel).
        columns: columns of cases.csv to use as metadata.
        count: how many images to choose.
        seed: decides between images at the same distance.

    Raises:
        InputError: every image has labels.
    """
    labelled = [index for index, entry in enumerate(images) if entry.labelled]
    if len(labelled) == len(images):
        raise InputError(
            "every image already has labels, so none can be proposed; add images without labels to the folder"
        )
    space = feature_space(
        embeddings, {name: [entry.row.get(name, "") for entry in images] for name in columns}
    )
    patients = [entry.patient for entry in images]
    chosen = choose_first(space, patients, count, labelled=labelled, seed=seed)
    several = [patient for patient in set(patients) if sum(patients[c.index] == patient for c in chosen) > 1]
    if several:
        log.info("chose more than one image of patients %s", shortlist(sorted(several)))
    return [(images[choice.index], choice) for choice in chosen]


def write_first(
    path: str | Path, chosen: Sequence[tuple[FirstImage, Choice]], columns: Sequence[str]
) -> None:
    """Write order (from 1), case, patient, image (file name), distance and `columns` as CSV, atomically."""
    rows = []
    for order, (entry, choice) in enumerate(chosen, start=1):
        distance = "" if np.isnan(choice.distance) else f"{choice.distance:.4f}"
        values = [entry.row.get(name, "") for name in columns]
        rows.append([order, entry.case, entry.patient, entry.image.name, distance, *values])
    write_table(path, ["order", "case", "patient", "image", "distance", *columns], rows)


def draw_contact_sheet(
    path: str | Path,
    images: Sequence[FirstImage],
    window: tuple[float, float] | None,
    text_masked: bool,
    across: int = 8,
) -> None:
    """Draw the images with their numbers and names, `across` in a row; the aspect of each is kept.

    Below an image whose lines of text are filled (see `text.read_shown`), the sheet says so.
    """
    line, gap = 18, 8
    if text_masked:
        line *= 2
    cell = (TILE + gap, TILE + line + gap)
    rows = math.ceil(len(images) / across)
    sheet = Image.new("L", (min(across, len(images)) * cell[0] + gap, rows * cell[1] + gap), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for index, entry in enumerate(images):
        left, top = gap + index % across * cell[0], gap + index // across * cell[1]
        grey, filled = read_shown(entry.image, window, text_masked)
        picture = ImageOps.contain(Image.fromarray(grey), (TILE, TILE))
        sheet.paste(picture, (left + (TILE - picture.width) // 2, top + (TILE - picture.height) // 2))
        text = f"{index + 1}  {entry.case}"
        while draw.textlength(text, font) > TILE and len(text) > 4:
            text = text[:-2] + "…"
        draw.text((left, top + TILE + 2), text, 0, font)
        if filled:
            draw.text((left, top + TILE + 20), "text filled with grey", 0, font)
    with atomic(path) as private:
        sheet.save(private, format="PNG")


def _digest(
    chunk: Sequence[FirstImage],
    size: tuple[int, int],
    window: tuple[float, float] | None,
    text_masked: bool,
    sam_id: str,
) -> str:
    """Digest of everything that the embeddings of a chunk depend on."""
    digest = hashlib.sha256(repr((tuple(size), window, text_masked, sam_id)).encode())
    for entry in chunk:
        try:
            content = sha256(entry.image)
        except OSError:  # reported when the image is read
            content = "unreadable"
        digest.update(f"{entry.image.name} {content}\n".encode())
    return digest.hexdigest()[:24]


def _read_chunk(file: Path) -> NDArray[np.float32] | None:
    """The embeddings in the file of a chunk, None if it is missing or damaged."""
    try:
        return np.load(read_state(file), allow_pickle=False)
    except DamagedError:
        return None


def _read_small(
    image: Path,
    size: tuple[int, int],
    window: tuple[float, float] | None,
    text_masked: bool,
    faults: list[str],
) -> NDArray[np.uint8] | None:
    """The image (height, width) at `size`; None, and a line in `faults`, if it cannot be read."""
    try:
        return resize_grey(read_shown(image, window, text_masked)[0], *size)
    except InputError as error:
        faults.append(str(error))
        return None
