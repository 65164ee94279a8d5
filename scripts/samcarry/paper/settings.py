"""The settings of a run as a table of names and values, for the methods of a paper."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from samcarry.tuning.tuned_settings import read_tuned

_BLOCKS = ("images", "training", "f_phi", "cleaning", "sam", "tuning", "evaluation", "splits", "ablation")
_SINGLE = ("dataset", "n", "draws", "seeds", "precision", "methods")


def settings_of(
    config: Mapping[str, Any], tuned: Sequence[str | Path], versions: Mapping[str, str], samcarry: str
) -> dict[str, str]:
    """{name: value} of how the study was made: no name of a case, patient, file or host.

    Names that the config gives to the data set and to its SAM are kept; those of classes are in other files.

    Args:
        config: the complete config.
        tuned: files of tuned settings, which replace those of the config.
        versions: {package: version}.
        samcarry: the version of samcarry.
    """
    chosen: dict[str, Any] = {name: config.get(name) for name in _SINGLE}
    chosen |= {name: dict(config.get(name) or {}) for name in _BLOCKS}
    splits = chosen["splits"]
    splits["accepted_duplicates"] = f"{len(splits.get('accepted_duplicates') or [])} accepted"
    splits["patient_pattern"] = "yes" if splits.get("patient_pattern") else "no"  # it may quote a name
    models = chosen["sam"].pop("models", {})
    used = models.get(chosen["sam"].get("model"), {})
    chosen["sam"] |= {"architecture": used.get("model"), "sha256": used.get("sha256")}
    chosen["table"] = {
        "methods": config.get("table", {}).get("methods"),
        "paper": config.get("table", {}).get("paper"),
    }
    chosen["source"] = {"format": config.get("source", {}).get("format")}
    found = dict(_flat(chosen))
    found["training.second_iterations"] = found.get("f_phi.iterations") or found.get(
        "training.iterations", ""
    )
    for path in tuned:
        blocks = read_tuned(path)
        found |= {f"tuned.{Path(path).stem}.{name}": value for name, value in _flat(blocks)}
        if Path(path).stem == "sam":
            found |= dict(
                _flat({name: block for name, block in blocks.items() if name in ("cleaning", "sam")})
            )
    found |= {f"version.{package}": version for package, version in versions.items()}
    return {name: value for name, value in found.items() if value != ""} | {"version.samcarry": samcarry}


def _flat(block: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)
