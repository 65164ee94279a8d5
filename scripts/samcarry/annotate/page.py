"""The page on which masks are corrected, as one HTML file."""

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samcarry.annotate.frame import MOST_BYTES, as_base64, page_colours, render_frame
from samcarry.annotate.parts import DecoderWeights, Part, as_halves
from samcarry.errors import InputError
from samcarry.geometry.run_lengths import encode_runs
from samcarry.prompting.prompts import bounding_box
from samcarry.report.html import data_uri
from samcarry.storage.filled import HTML_MARK

_PICTURE_QUALITY = 90  # of WebP; SAM saw the image itself
_LONGEST_WEBP = 16383  # pixels


@dataclass(frozen=True)
class PageCase:
    """One image on the page.

    Attributes:
        name: name of the case.
        image: grey values (height, width).
        digest: SHA-256 of the image's file.
        start: masks at the beginning (class, height, width); None if there are none.
        parts: embedded parts, the whole image first; empty if SAM cannot be asked.
        note: what was done to the image, for people; '' for nothing.
    """

    name: str
    image: NDArray[np.uint8]
    digest: str
    start: NDArray[np.bool_] | None
    parts: Sequence[Part]
    note: str = ""


def render_annotator(
    cases: Iterable[PageCase],
    *,
    dataset: str,
    task: str,
    classes: Sequence[str],
    sam: DecoderWeights | None,
    expected: int,
    text_masked: bool = False,
    most_bytes: int = MOST_BYTES,
) -> tuple[str, list[str]]:
    """The page, and the names of the cases in it.

    Cases are taken until the page would become larger than `most_bytes`; the page says so.

    Args:
        cases: the cases, one at a time; memory holds their compressed form only.
        dataset: name of the data set.
        task: name of the task, such as task-1 or first.
        classes: names of the classes; all starting masks are in this order.
        sam: the decoder; None for a page on which masks are drawn by hand only.
        expected: number of cases that there are.
        text_masked: whether lines of text are filled in the images; the page has a mark that says so.
        most_bytes: largest page.

    Raises:
        InputError: there is no case, or not even one fits.
    """
    weights = "" if sam is None else as_base64(sam.halves)
    used = len(weights)
    entries: list[dict[str, Any]] = []
    notes: list[str] = []
    blocks: list[dict[str, str]] = []
    for number, case in enumerate(cases):
        entry, own = _entry(case), _data_blocks(number, case)
        used += len(json.dumps([entry, case.note])) + sum(len(block["text"]) for block in own)
        if used > most_bytes:
            break
        entries.append(entry)
        notes.append(case.note)
        blocks += own
    if not entries:
        raise InputError(
            f"the page for {task} of {dataset} would have no case: there is none, or one is larger than "
            f"{most_bytes // 1_000_000} MB; use smaller images or a smaller SAM"
        )
    about: dict[str, Any] = {
        "dataset": dataset,
        "task": task,
        "classes": list(classes),
        "colours": page_colours(len(classes)),
        "cases": entries,
        "sam": None if sam is None else sam.about,
        "note": _note(len(entries), expected, most_bytes),
    }
    about["id"] = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    # Not part of the id: work that a browser keeps fits the page with and without text.
    about |= {"notes": notes, "mark": HTML_MARK if text_masked else ""}
    page = render_frame("annotate", about=about, weights=weights, blocks=blocks)
    return page, [entry["name"] for entry in entries]


def _note(count: int, expected: int, most_bytes: int) -> str:
    if count == expected:
        return ""
    return (
        f"This page has {count} of {expected} cases: with more it would be larger than "
        f"{most_bytes // 1_000_000} MB. The others are not lost; ask for smaller tasks to get them."
    )


def _entry(case: PageCase) -> dict[str, Any]:
    """What the page's description says of a case."""
    height, width = case.image.shape
    views = [
        {
            "left": part.window.left,
            "top": part.window.top,
            "width": part.window.size[1],
            "height": part.window.size[0],
            "rows": part.rows,
            "columns": part.columns,
        }
        for part in case.parts
    ]
    start = {} if case.start is None else {i: _runs(m) for i, m in enumerate(case.start) if m.any()}
    return {
        "name": case.name,
        "file": f"{case.name}.png",
        "width": width,
        "height": height,
        "sha256": case.digest,
        "views": views,
        "start": start,
    }


def _runs(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """A mask that is not empty, as run lengths in its bounding box."""
    x0, y0, x1, y1 = map(int, bounding_box(mask))
    runs = encode_runs(mask[y0:y1, x0:x1])
    return {"left": x0, "top": y0, "width": x1 - x0, "height": y1 - y0, "runs": runs}


def _data_blocks(number: int, case: PageCase) -> list[dict[str, str]]:
    """The picture and the embeddings of a case."""
    blocks = [{"type": "text/plain", "id": f"picture-{number}", "text": _picture(case.image)}]
    blocks += [
        {
            "type": "text/plain",
            "id": f"embedding-{number}-{index}",
            "text": as_base64(as_halves(part.embedding)),
        }
        for index, part in enumerate(case.parts)
    ]
    return blocks


def _picture(image: NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    if max(image.shape) > _LONGEST_WEBP:
        Image.fromarray(image).save(stream, "PNG")
        return data_uri(stream.getvalue(), "image/png")
    Image.fromarray(image).save(stream, "WEBP", quality=_PICTURE_QUALITY, method=4)
    return data_uri(stream.getvalue(), "image/webp")
