"""A model file to share: the same weights, without names of cases, patients, files and folders.

Only what is known to be free of names is kept, so that an entry that a later version adds is removed until
somebody has looked at it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from samcarry.errors import InputError
from samcarry.evaluation.formatting import markdown_table
from samcarry.networks.unet import load_unet
from samcarry.predict.model_card import FRONT, LIMITS, SCORES, TUNED, USE, preprocessing
from samcarry.predict.models import load_model
from samcarry.storage.files import atomic, sha256, write_text
from samcarry.storage.model_files import read_model, write_model

MODEL, CARD = "model.safetensors", "model_card.md"
"""The files of a release."""

KEPT = (
    *("classes", "size", "mean", "std", "window", "positive_weight", "width", "depth"),
    *("preparation", "training_look", "training", "confidence", "members", "measurements"),
    "presence",
)
"""Entries of the metadata that a release keeps: what prediction needs, and numbers."""

_CURE = "give the path of a model.safetensors of a U-Net, such as f_phi/model.safetensors"

_PAGE = (
    """---
{front}---

# {title}

A U-Net that segments {count} in grey radiographs, trained with samcarry.
Names of cases, patients, files and folders were removed from its metadata; the weights are unchanged.

"""
    + USE
    + "\n{scores}\n"
    + LIMITS
    + """
## Provenance

| | |
|---|---|
| SHA-256 of model.safetensors | `{sha256}` |
| SHA-256 of the model file before names were removed | `{before}` |
| trained by the rule | {rule} |
| labelled images, seed | {n}, {seed} |
| versions | {versions} |
"""
)


def release(model: str | Path, out: str | Path) -> list[str]:
    """Write a model without names, and its model card, to a new folder, atomically.

    The scores of a `model_card.md` beside the model are copied if it is the card of this file.

    Args:
        model: a model.safetensors of a U-Net.
        out: the folder, which must not exist.

    Returns:
        What was removed: one line for each entry, such as 'made_by.inputs: 12 texts'. No name is among them.

    Raises:
        InputError: the model is missing, damaged or of another kind, or `out` exists.
    """
    model, out = Path(model), Path(out)
    if model.suffix == ".onnx":
        raise InputError(
            f"{model}: an ONNX file has no names, so it can be shared as it is; {_CURE}, to release that"
        )
    if out.exists() or out.is_symlink():
        raise InputError(f"{out}: already exists; choose another folder")
    load_model(model, "cpu")  # refuses whatever `samcarry predict` would refuse
    _, metadata = load_unet(model, cure=_CURE)
    weights, _ = read_model(model, "U-Net", lambda tensors, _: tensors, _CURE)
    kept = without_names(metadata)
    before = sha256(model)
    try:
        with atomic(out, replace=False) as private:
            private.mkdir()
            write_model(private / MODEL, weights, kept)
            scores = read_scores_of(model, kept["classes"])
            write_text(private / CARD, _card(kept, scores, sha256(private / MODEL), before))
    except FileExistsError:
        raise InputError(f"{out}: appeared meanwhile and is not replaced; choose another folder") from None
    return [f"{name}: {_count(texts)}" for name, texts in _removed(metadata) if texts]


def without_names(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a model file's metadata that a release keeps."""
    kept = {name: metadata[name] for name in KEPT if name in metadata}
    kept.setdefault("training", _training(metadata))
    return kept


def _training(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The origin of a model in numbers, the rule's name and the versions of packages."""
    made_by = metadata.get("made_by", {})
    params, wildcards = made_by.get("params", {}), made_by.get("wildcards", {})
    trained_on = params.get("cases")
    return {
        "rule": made_by.get("rule"),
        "labelled": len(metadata["cases"]) if "cases" in metadata else None,
        "trained_on": len(trained_on) if isinstance(trained_on, Sequence) else None,
        "seed": int(wildcards["seed"]) if wildcards.get("seed", "").isdecimal() else None,
        "settings": {key: value for key, value in params.get("training", {}).items() if _is_number(value)},
        "versions": made_by.get("versions", {}),
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _removed(metadata: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """(entry, its texts) of all that is not kept; the entries of `made_by` and of its settings one by one."""
    for name, value in metadata.items():
        if name in KEPT:
            continue
        if name != "made_by":
            yield name, [*_texts(value)]
            continue
        for part, inner in value.items():
            if part == "params":
                others = {
                    key: value for key, value in inner.get("training", {}).items() if not _is_number(value)
                }
                for key, entry in {**inner, "training": others}.items():
                    yield f"made_by.params.{key}", [*_texts(entry)]
            elif part not in ("rule", "versions"):
                yield f"made_by.{part}", [*_texts(inner)]


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)


def _count(texts: Sequence[str]) -> str:
    return f"{len(texts)} text" if len(texts) == 1 else f"{len(texts)} texts"


_SENTENCE = re.compile(
    r"Dice in percent on the (?P<evaluated>\d+) images of the (?P<split>test|val) split, which were not used "
    rf"for training(?P<caveat>{re.escape(TUNED)})?\."
)
_ROW = re.compile(r"\| (?P<name>.+?) +\| (?P<dice>[\d.± –-]*?) *\| (?P<images>\d*) *\|")


def read_scores_of(model: Path, classes: Sequence[str]) -> str:
    """The scores in a model's card, read number by number, because people may have written into it."""
    card = model.with_name(CARD)
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    sentence = _SENTENCE.search(text)
    if f"`{sha256(model)}`" not in text or not sentence:
        return (
            "## How good it is\n\nThere was no model card of this file, so its scores are not known here.\n"
        )
    names = {name.replace("|", r"\|"): name for name in classes} | {"**mean over classes**": ""}
    found = [row for row in map(_ROW.fullmatch, text.splitlines()) if row and row["name"] in names]
    rows = [(names[row["name"]] or row["name"], row["dice"], row["images"]) for row in found]
    about = {name: value or "" for name, value in sentence.groupdict().items()}
    return SCORES.format(scores=markdown_table(("class", "Dice", "images"), rows), **about)


def _card(metadata: Mapping[str, Any], scores: str, sha256_of_release: str, before: str) -> str:
    classes, training = metadata["classes"], metadata["training"]
    count = f"{len(classes)} class" if len(classes) == 1 else f"{len(classes)} classes"
    return _PAGE.format(
        front=yaml.safe_dump(FRONT, sort_keys=False),
        title=f"Segmentation of {count} in radiographs",
        count=count,
        classes=", ".join(classes),
        **preprocessing(metadata),
        scores=scores,
        sha256=sha256_of_release,
        before=before,
        rule=training["rule"] or "not recorded",
        n="?" if training["labelled"] is None else training["labelled"],
        seed="?" if training["seed"] is None else training["seed"],
        versions=", ".join(f"{name} {version}" for name, version in training["versions"].items()),
    )
