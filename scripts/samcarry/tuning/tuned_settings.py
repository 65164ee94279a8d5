"""Tuned settings as YAML, in blocks that can be pasted into a config."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from samcarry.storage.files import write_text
from samcarry.storage.reading import reading_made
from samcarry.storage.texts import read_text


def write_tuned(path: str | Path, blocks: Mapping[str, Any], comments: Sequence[str]) -> None:
    """Write blocks of a config as YAML below comment lines, atomically."""
    text = yaml.safe_dump(dict(blocks), sort_keys=False, allow_unicode=True)
    write_text(path, "".join(f"# {line}\n" for line in comments) + text)


def read_tuned(path: str | Path | Sequence[str]) -> dict[str, dict[str, Any]]:
    """The tuned blocks by name: `cleaning` and `sam`, `random_walk`, or `zoom`.

    MedSAM's `cleaning` is returned without the enclosing `medsam`, because the caller knows that the file
    is MedSAM's.

    Args:
        path: a file of `write_tuned`, or nothing (an empty string or list) if tuning is off.

    Raises:
        DamagedError: the file is missing or damaged.
    """
    if not path:
        return {}
    path = str(path)  # a list has no file
    damage = (ValueError, AttributeError, TypeError, yaml.YAMLError)
    with reading_made(path, "these tuned settings are damaged", damage):
        blocks = yaml.safe_load(read_text(path))
        return {name: dict(block) for name, block in blocks.get("medsam", blocks).items()}


def tuned_over(configured: Mapping[str, Any], path: str | Path | Sequence[str], block: str) -> dict[str, Any]:
    """The configured settings of a block, replaced by the tuned ones where there are any.

    Args:
        configured: the settings in the config.
        path: as for `read_tuned`.
        block: name of the block, such as 'cleaning'.

    Raises:
        DamagedError: the file is missing or damaged.
    """
    return {**configured, **read_tuned(path).get(block, {})}


def blocks_of(refiner: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The config blocks that hold the settings of a refiner.

    Args:
        refiner: 'sam', 'medsam', 'random_walk' or 'zoom'.
        settings: its settings without blocks, as in `search_spaces`.
    """
    if "operation" not in settings:
        return {refiner: dict(settings)}
    cleaning = {
        "operation": settings["operation"],
        "element": settings["element"] or "square",
        "radius": settings["radius"],
    }
    if refiner == "medsam":
        return {"medsam": {"cleaning": cleaning}}
    return {"cleaning": cleaning, "sam": {"first": settings["first"], "second": settings["second"]}}
