"""A model as a bundle for MONAI: it runs without samcarry, and its masks are those of `samcarry predict`."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from samcarry import __version__
from samcarry.errors import InputError
from samcarry.images.preparation import TEXT_MASKED
from samcarry.networks.unet import Ensemble, UNet, load_unet
from samcarry.predict.bundle_configs import (
    FIRE,
    IGNITE,
    MONAI,
    bundle_metadata,
    counted,
    inference_config,
    renamed_weights,
)
from samcarry.predict.model_card import FRONT, LIMITS, PREPARED, preprocessing
from samcarry.predict.models import load_model
from samcarry.predict.release import read_scores_of, without_names
from samcarry.storage.files import atomic, sha256, write_text

_CURE = "give the path of a model.safetensors of one U-Net, such as f_phi/model.safetensors"
_MEANING = re.compile("[@$%#]")  # what MONAI would execute or look up

_PAGE = """---
{front}---

# {title}

A U-Net that segments {classes} in grey radiographs, trained with samcarry, as a bundle for MONAI.
It needs MONAI, pytorch-ignite and Pillow, and not samcarry.

## Use

```
python -m pip install "monai=={monai}" "pytorch-ignite=={ignite}" "fire=={fire}" pillow
cd THIS_FOLDER
python -m monai.bundle run --config_file configs/inference.json --meta_file configs/metadata.json \\
    --dataset_dir IMAGES --output_dir MASKS{laterality}
```

`IMAGES` is a folder of PNG, JPEG and TIFF images of 8 or 16 bits, whose subfolders are searched too.
Each class is written to `MASKS/<image>/<image>_<class>.png`, 0 and 255, at the size of the image.

`network_def` in `configs/inference.json` builds the network, and `models/model.pt` holds its weights.
`python -m monai.bundle ckpt_export` makes a TorchScript file of both.

{prepared}

## What is the same, and what is missing

The masks are those of `samcarry predict` with the model file and no options.
Preparation, resizing and threshold are the same operations.
With other versions or another device, rounding may differ and decide pixels at the threshold.
A class that was not found has an empty mask here, and no file there.

{missing}

{scores}
{limits}
## Provenance

| | |
|---|---|
| written by | samcarry {version} |
| SHA-256 of the model file | `{sha256}` |
| SHA-256 of models/model.pt | `{weights}` |
| trained by the rule | {rule} |
| labelled images, seed | {n}, {seed} |
"""

_LICENCE = """The licence of the weights in models/ is not stated: samcarry does not know it.
Those who trained the network, and own the rights in the images and labels, write it here before they share
this bundle.

samcarry, which wrote this bundle, is under the MIT licence. That does not extend to the weights.
"""


def write_bundle(model: str | Path, out: str | Path) -> list[str]:
    """Write a bundle to a new folder, atomically; it holds no names of cases, patients, files and folders.

    Args:
        model: a model.safetensors of one U-Net.
        out: the folder, which must not exist.

    Returns:
        What the bundle does not hold, each as a line.

    Raises:
        InputError: the model is missing, damaged or of another kind, is an ensemble or needs images without
            text, a class has a name that MONAI would execute, or `out` exists.
    """
    model, out = Path(model), Path(out)
    if model.suffix == ".onnx":
        raise InputError(f"{model}: a bundle cannot be made of an ONNX file; {_CURE}")
    if out.exists() or out.is_symlink():
        raise InputError(f"{out}: already exists; choose another folder")
    load_model(model, "cpu")  # refuses whatever `samcarry predict` would refuse
    network, metadata = load_unet(model, cure=_CURE)
    _check(model, network, metadata)
    kept = without_names(metadata)
    try:
        with atomic(out, replace=False) as private:
            for folder in ("configs", "docs", "models"):
                (private / folder).mkdir(parents=True)
            torch.save(renamed_weights(network), private / "models/model.pt")
            lines = _missing(kept)
            write_text(private / "configs/metadata.json", _json(bundle_metadata(kept)))
            write_text(private / "configs/inference.json", _json(inference_config(kept)))
            digests = {"sha256": sha256(model), "weights": sha256(private / "models/model.pt")}
            scores = read_scores_of(model, kept["classes"])
            write_text(private / "docs/README.md", _page(kept, lines, scores, digests))
            write_text(private / "LICENSE", _LICENCE)
    except FileExistsError:
        raise InputError(f"{out}: appeared meanwhile and is not replaced; choose another folder") from None
    return lines


def _check(model: Path, network: UNet, metadata: Mapping[str, Any]) -> None:
    if isinstance(network, Ensemble):
        raise InputError(f"{model}: a bundle holds one network, and this is an ensemble; {_CURE}")
    if (metadata.get("preparation") or {}).get("version") == TEXT_MASKED:
        raise InputError(
            f"{model}: the network was trained on images whose text is filled (images.mask_text), which a "
            "bundle cannot do; use samcarry predict"
        )
    if bad := [name for name in metadata["classes"] if _MEANING.search(name)]:
        raise InputError(
            f"{model}: the class {bad[0]!r} has one of @ $ % # in its name, which MONAI would not take as "
            "text; rename the class"
        )


def _missing(metadata: Mapping[str, Any]) -> list[str]:
    """What `samcarry predict` does with this model and a bundle does not."""
    lines = ["DICOM files are not read; convert them to PNG first, with their window applied"]
    if metadata.get("presence") is not None:
        lines.append("classes are not judged absent: the masks of all classes are kept")
    if metadata.get("confidence") is not None:
        lines.append(
            "nothing is calibrated or promised: no temperature, no outer and inner masks, no bounds of Dice, "
            "no test whether an image is outside of what the network was shown"
        )
    if metadata.get("training_look") is not None:
        lines.append("images unlike the training images are neither named nor refused")
    if metadata.get("preparation") is None:
        lines.append("the model file does not say whether images were mirrored; none is mirrored here")
    return [*lines, "nothing is measured, and there are no ensembles, no --one-component and no --tta"]


def _page(metadata: Mapping[str, Any], missing: list[str], scores: str, digests: Mapping[str, str]) -> str:
    prepared = preprocessing(metadata)
    return _PAGE.format(
        front=yaml.safe_dump(
            {**FRONT, "library_name": "monai", "tags": ["monai", *FRONT["tags"]]}, sort_keys=False
        ),
        title="Segmentation of radiographs",
        classes=", ".join(metadata["classes"]),
        **{"monai": MONAI, "ignite": IGNITE, "fire": FIRE, "version": __version__},
        laterality=" --laterality SIDE" if prepared["laterality"] else "",
        prepared=PREPARED.format(classes=", ".join(metadata["classes"]), **prepared).strip(),
        missing="\n".join(f"- {line[0].upper()}{line[1:]}." for line in missing),
        scores=scores,
        limits=LIMITS.format(n=counted(metadata, "labelled")),
        rule=metadata["training"]["rule"] or "not recorded",
        n=counted(metadata, "labelled"),
        seed=counted(metadata, "seed"),
        **digests,
    )


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
