"""The model card of a model file: what the model is, how good it is, and what it is not for."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from samcarry.data.manifest import ManifestRow, judged_split
from samcarry.evaluation.formatting import markdown_table, mean_and_deviation_of, number
from samcarry.methods import method_of
from samcarry.storage.tables import read_table

Scores = Mapping[str, Sequence[float]]
"""{class: Dice of each case in which the class is present, 0..1}."""

_TRAINED_ON = {
    "unet": "the {n} labelled images only",
    "ours_p": "{unlabelled} unlabelled images. Their masks are pseudo labels: predictions of a network that "
    "was trained on {n} labelled images",
    "ours_r": "{unlabelled} unlabelled images. Their masks are pseudo labels: predictions of a network that "
    "was trained on {n} labelled images, refined by SAM",
}

_OTHER_METHODS = (
    "{n} labelled and {unlabelled} unlabelled images, with the method `{method}` of docs/method.md"
)

FRONT = {
    "library_name": "samcarry",
    "pipeline_tag": "image-segmentation",
    "tags": ["radiograph", "segmentation", "u-net", "samcarry"],
    "metrics": ["dice"],
}
"""The front matter of a page, as Hugging Face reads it."""

PREPARED = """| | |
|---|---|
| classes | {classes} |
| image size | {height} × {width} pixels (height × width); images are resized to it |
| grey values | {window} |
{preparation}
| normalisation | (grey / 255 − {mean:.6f}) / {std:.6f} |
| output | one probability per class and pixel; a mask contains the pixels above 0.5; classes may overlap |
| network | {width_of_network} channels at full resolution, {depth} halvings |
"""
"""Entries: those of `preprocessing`, and `classes`."""

USE = (
    """## Use

```
samcarry predict model.safetensors IMAGES OUT{laterality}
```

It works on any folder of PNG, JPEG, TIFF or DICOM images; the masks have the original size of the images.
Only the model file is needed.
A `model.onnx`, if there is one, gives the same masks without torch (except single pixels at the threshold).

"""
    + PREPARED
)
"""How a model file is used; entries as of PREPARED."""

SCORES = """## How good it is

Dice in percent on the {evaluated} images of the {split} split, which were not used for training{caveat}.
For each class, only images in which it is present count.
± is the standard deviation over these images.

{scores}
"""
TUNED = ", although settings may have been tuned on them"
"""The entry `caveat` of the validation split."""

LIMITS = """## Intended use and limits

- For research on radiographs like the training images: same body region, projection and kind of patients.
  It has not been tested on other images.
- It is not a medical device.
  Before masks are used for any conclusion, someone who knows the anatomy must check them.
- It does not detect findings.
  A class that is absent, fractured or covered may be drawn wrongly or not at all.
- Its training started from {n} labelled images.
  It cannot know what they do not show.
"""
"""The entry `n`: the number of labelled images."""

_PAGE = (
    """---
{front}---

# {title}

A U-Net that segments {count} {classes_word} in grey radiographs.
It was trained with samcarry on the data set `{dataset}`, on {trained_on}.
Test images were not used for training or tuning.

"""
    + USE
    + "\n"
    + SCORES
    + "\n"
    + LIMITS
    + """- The metadata of the model file contain names of cases, files and folders.
  Before you share the file, remove them with `samcarry release`.

## Provenance

| | |
|---|---|
| SHA-256 of model.safetensors | `{sha256}` |
| method, n, seed | `{method}`, {n}, {seed} |
| versions | {versions} |

{inputs}
"""
)


def read_scores(path: str | Path) -> dict[str, list[float]]:
    """The scores in a dice.csv of one method and seed."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in read_table(path, ("class", "dice")):
        if row["dice"]:
            found[row["class"]].append(float(row["dice"]))
    return dict(found)


def model_card(
    metadata: Mapping[str, Any],
    *,
    dataset: str,
    method: str,
    rows: Sequence[ManifestRow],
    scores: Scores,
    sha256: str,
) -> str:
    """The model card as Markdown, with front matter for Hugging Face.

    Args:
        metadata: the metadata of the model file.
        dataset: name of the data set.
        method: id of the method whose network the file contains.
        rows: rows of the manifest.
        scores: Dice on the evaluated split, from `read_scores`.
        sha256: SHA-256 of the model file.
    """
    made_by = metadata.get("made_by", {})
    wildcards = made_by.get("wildcards", {})
    n, classes = len(metadata["cases"]), metadata["classes"]
    numbers = {"n": n, "unlabelled": sum(row.split == "unlabelled" for row in rows), "method": method}
    split = judged_split(rows)
    inputs = [[f"`{path}`", f"`{digest}`"] for path, digest in made_by.get("inputs", {}).items()]
    return _PAGE.format(
        front=yaml.safe_dump(FRONT, sort_keys=False),
        title=f"{dataset}: {method_of(method).name}",
        count=len(classes),
        classes_word="class" if len(classes) == 1 else "classes",
        dataset=dataset,
        split=split,
        trained_on=_TRAINED_ON.get(method, _OTHER_METHODS).format(**numbers),
        classes=", ".join(classes),
        **preprocessing(metadata),
        evaluated=sum(row.split == split for row in rows),
        caveat="" if split == "test" else TUNED,
        scores=_score_table(classes, scores),
        sha256=sha256,
        method=method,
        n=n,
        seed=wildcards.get("seed", "?"),
        versions=", ".join(f"{name} {version}" for name, version in made_by.get("versions", {}).items()),
        inputs=markdown_table(("input", "SHA-256"), inputs),
    )


def preprocessing(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of `USE` about preprocessing and the shape of the network."""
    height, width = metadata["size"]
    window = metadata.get("window")
    side, rows = _preparation(metadata)
    return {
        "laterality": " --laterality RULE" if side else "",
        "preparation": "\n".join(f"| {name} | {text} |" for name, text in rows.items()),
        "height": height,
        "width": width,
        "window": "the full range of the file, or the window in a DICOM file"
        if window is None
        else f"percentiles {window[0]:g} to {window[1]:g} of each image are stretched to 0..255",
        "mean": metadata["mean"],
        "std": metadata["std"],
        "width_of_network": metadata["width"],
        "depth": metadata["depth"],
    }


def _preparation(metadata: Mapping[str, Any]) -> tuple[str | None, dict[str, str]]:
    """The side whose images were mirrored in training, and what the page says of the preparation."""
    prepared, look = metadata.get("preparation"), metadata.get("training_look")
    if prepared is None:
        side, rows = None, {"preparation": "not recorded"}
    else:
        side = prepared["mirrored"]
        rows = {name: text for name, text in prepared.items() if name not in ("version", "mirrored")}
    if side:
        rows["left and right"] = (
            f"images of {side} sides are mirrored before the network and their masks mirrored back; "
            "`--laterality` says how to find the side of an image"
        )
    elif prepared is not None:
        rows["left and right"] = "no image is mirrored"
    rows["unlike images"] = (
        f"`samcarry predict` compares new images with {look['images']} training images and names those that "
        "look different"
        if look
        else "are not noticed: there were too few training images"
    )
    return side, rows


def _score_table(classes: Sequence[str], scores: Scores) -> str:
    """Dice in percent by class, and the mean over classes."""
    percent = {name: [100 * value for value in scores.get(name, ())] for name in classes}
    rows = [[name, mean_and_deviation_of(values), str(len(values))] for name, values in percent.items()]
    means = [fmean(values) for values in percent.values() if values]
    rows.append(["**mean over classes**", number(fmean(means) if means else nan), ""])
    return markdown_table(("class", "Dice", "images"), rows)
