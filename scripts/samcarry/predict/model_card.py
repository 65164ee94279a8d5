"""The page that goes with a model file: what it is, how good it is, and what it is not for."""

import csv
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from samcarry.data.manifest import ManifestRow, judged_split
from samcarry.methods import method_of

Scores = Mapping[str, Sequence[float]]

_LEARNED_FROM = {
    "unet": "the {n} labelled images alone",
    "ours_p": "{unlabelled} unlabelled images, with the masks that a network trained on {n} labelled ones "
    "predicted for them",
    "ours_r": "{unlabelled} unlabelled images, with masks that a network trained on {n} labelled ones "
    "predicted and SAM redrew",
}

_OTHERS = "{n} labelled and {unlabelled} unlabelled images, by the method `{method}` of docs/method.md"

_FRONT = {
    "library_name": "samcarry",
    "pipeline_tag": "image-segmentation",
    "tags": ["radiograph", "segmentation", "u-net", "samcarry"],
    "metrics": ["dice"],
}

_PAGE = """---
{front}---

# {title}

A U-Net for {count} {classes_word} in grey radiographs, trained with samcarry on the data set `{dataset}`.
It was given {learned_from}. Test images were never used for it.

## Use

```
samcarry predict model.safetensors IMAGES OUT
```

Any folder of PNG, JPEG, TIFF or DICOM images goes; masks come back at their size. The model file is all that
is needed. A `model.onnx`, where one lies beside it, gives the same masks
without torch, but for single pixels that rounding decides.

| | |
|---|---|
| classes | {classes} |
| image size | {height} × {width} pixels (height × width); images are stretched to it |
| grey values | {window} |
| normalisation | (grey / 255 − {mean:.6f}) / {std:.6f} |
| output | one probability a class and pixel; classes may overlap; a mask is what lies above 0.5 |
| network | {width_of_network} channels at full resolution, {depth} halvings |

## How good it is

Dice in percent on the {judged} images of the {split} split, which the training did not see{caveat}. A class
counts in the images that show it; ± is the standard deviation over those images.

| class | Dice | images |
|---|---|---|
{table}

## Intended use and limits

- For research on radiographs like those it was trained on: the same region of the body, projection and kind
  of patients. Nobody has tested it on others.
- Not a medical device. Before anything is concluded from masks, somebody who knows the anatomy has to look at
  them.
- It says nothing about findings. A class that is absent, fractured or covered may be drawn wrongly or not at
  all.
- It started from {n} labelled images. What they do not show it cannot know.
- Its file names the training cases in the metadata. Before you give it away, ask whether these names may
  leave.

## What made it

| | |
|---|---|
| SHA-256 of model.safetensors | `{sha256}` |
| method, n, seed | `{method}`, {n}, {seed} |
| versions | {versions} |

| input | SHA-256 |
|---|---|
{inputs}
"""


def read_scores(path: str | Path) -> dict[str, list[float]]:
    """{class: Dice of each case that shows it, 0..1} of a dice.csv of one method and seed."""
    found: dict[str, list[float]] = defaultdict(list)
    with Path(path).open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["dice"]:
                found[row["class"]].append(float(row["dice"]))
    return dict(found)


def model_card(
    about: Mapping[str, Any],
    *,
    dataset: str,
    method: str,
    rows: Sequence[ManifestRow],
    scores: Scores,
    sha256: str,
) -> str:
    """The page as Markdown, with front matter as Hugging Face has it.

    Args:
        about: of the model file.
        dataset: its name.
        method: id of the method whose network it is.
        rows: the manifest.
        scores: of `read_scores`, on the judged split.
        sha256: of the model file.
    """
    made_by = about.get("made_by", {})
    wildcards = made_by.get("wildcards", {})
    n, classes = len(about["cases"]), about["classes"]
    numbers = {"n": n, "unlabelled": sum(row.split == "unlabelled" for row in rows), "method": method}
    split = judged_split(rows)
    return _PAGE.format(
        front=yaml.safe_dump(_FRONT, sort_keys=False),
        title=f"{dataset}: {method_of(method).name}",
        count=len(classes),
        classes_word="class" if len(classes) == 1 else "classes",
        dataset=dataset,
        split=split,
        learned_from=_LEARNED_FROM.get(method, _OTHERS).format(**numbers),
        classes=", ".join(classes),
        **_feeding(about),
        judged=sum(row.split == split for row in rows),
        caveat="" if split == "test" else ", though settings may have been chosen on it",
        table=_table(classes, scores),
        sha256=sha256,
        method=method,
        n=n,
        seed=wildcards.get("seed", "?"),
        versions=", ".join(f"{name} {version}" for name, version in made_by.get("versions", {}).items()),
        inputs="\n".join(f"| `{path}` | `{digest}` |" for path, digest in made_by.get("inputs", {}).items()),
    )


def _feeding(about: Mapping[str, Any]) -> dict[str, Any]:
    """What it takes to feed the network, and its shape."""
    height, width = about["size"]
    window = about.get("window")
    return {
        "height": height,
        "width": width,
        "window": "the full range of the file, or the window that a DICOM file asks for"
        if window is None
        else f"percentiles {window[0]:g} to {window[1]:g} of each image stretched to 0..255",
        "mean": about["mean"],
        "std": about["std"],
        "width_of_network": about["width"],
        "depth": about["depth"],
    }


def _table(classes: Sequence[str], scores: Scores) -> str:
    """Rows of Dice by class, and of their mean."""
    lines = []
    for name in classes:
        values = [100 * value for value in scores.get(name, ())]
        lines.append(f"| {name.replace('|', '&#124;')} | {_spread(values)} | {len(values)} |")
    means = [100 * statistics.fmean(scores[name]) for name in classes if scores.get(name)]
    mean = f"{statistics.fmean(means):.1f}" if means else "–"
    return "\n".join([*lines, f"| **mean over classes** | {mean} | |"])


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.1f}{deviation}"
