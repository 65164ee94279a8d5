"""The settings that tuning found: YAML whose blocks can be pasted into a config."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from samcarry.errors import DamagedError
from samcarry.storage.files import write_text


def write_tuned(path: str | Path, blocks: Mapping[str, Any], comments: Sequence[str]) -> None:
    """Write blocks of a config below lines of comment, atomically."""
    text = yaml.safe_dump(dict(blocks), sort_keys=False, allow_unicode=True)
    write_text(path, "".join(f"# {line}\n" for line in comments) + text)


def read_tuned(path: str | Path | Sequence[str]) -> dict[str, dict[str, Any]]:
    """The blocks that replace those of the config: `cleaning` and `sam`, or `random_walk`.

    MedSAM's `cleaning` comes without the `medsam` around it, since who reads the file knows whose it is.

    Args:
        path: a file of `write_tuned`, or nothing (an empty string or list) where tuning is off.

    Raises:
        DamagedError: the file is missing or damaged.
    """
    if not path:
        return {}
    try:
        blocks = yaml.safe_load(Path(str(path)).read_text(encoding="utf-8"))
        return {name: dict(block) for name, block in blocks.get("medsam", blocks).items()}
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DamagedError(str(path), f"these tuned settings are damaged ({reason})") from error


def blocks_of(refiner: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The blocks of the config that hold the settings of 'sam', 'medsam' or 'random_walk'.

    Args:
        refiner: whose settings.
        settings: as a `search_spaces.Space` names them, flat.
    """
    if refiner == "random_walk":
        return {"random_walk": dict(settings)}
    cleaning = {
        "operation": settings["operation"],
        "element": settings["element"] or "square",
        "radius": settings["radius"],
    }
    if refiner == "medsam":
        return {"medsam": {"cleaning": cleaning}}
    return {"cleaning": cleaning, "sam": {"first": settings["first"], "second": settings["second"]}}
