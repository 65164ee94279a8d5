"""A model as a bundle for MONAI: it runs without samcarry, and its masks are those of `samcarry predict`.

The configs are expressions and parts of torch and MONAI only. Images are read and resized by Pillow, as in
`samcarry.images`, because other libraries round grey values differently.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
import yaml
from torch import Tensor

from samcarry import __version__
from samcarry.errors import InputError
from samcarry.images.preparation import TEXT_MASKED
from samcarry.networks.unet import Ensemble, UNet, load_unet
from samcarry.predict.model_card import FRONT, LIMITS, PREPARED, preprocessing
from samcarry.predict.models import load_model
from samcarry.predict.release import read_scores_of, without_names
from samcarry.storage.files import atomic, sha256, write_text
from samcarry.storage.probabilities import THRESHOLD

MONAI, IGNITE, FIRE = "1.6.1", "0.5.5", "0.7.1"
"""Versions with which a bundle was run."""

_SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
)
_CURE = "give the path of a model.safetensors of one U-Net, such as f_phi/model.safetensors"
_MEANING = re.compile("[@$%#]")  # what MONAI would execute or look up
_UNSTATED = "not stated by samcarry; those who trained the network write it here"

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
            torch.save(_renamed(network), private / "models/model.pt")
            lines = _missing(kept)
            write_text(private / "configs/metadata.json", _json(_metadata(kept)))
            write_text(private / "configs/inference.json", _json(_inference(kept)))
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


def _renamed(network: UNet) -> dict[str, Tensor]:
    """The weights under the names of `network_def`."""

    def of_level(level: int) -> str:
        return "0." + level * "1.submodule.1."

    renamed = {}
    for name, weight in network.state_dict().items():
        part, rest = name.split(".", 1)
        if part == "head":
            renamed[f"1.{rest}"] = weight
            continue
        number, _, inner = rest.partition(".")
        place = of_level(int(number))
        if part == "encoder":
            place += "" if int(number) == network.depth else "0."  # the deepest level has nothing else
        else:
            place += "1.submodule.2." if part == "upsampling" else "2."
        renamed[place + inner] = weight
    return renamed


def _levels(width: int, depth: int) -> Iterator[tuple[str, str]]:
    """(name, expression) of each level of the network, from the deepest."""
    for level in reversed(range(depth + 1)):
        here = width * 2**level
        first = f"@two_convolutions({1 if level == 0 else here // 2}, {here})"
        if level == depth:
            yield f"level_{level}", f"${first}"
            continue
        below = (
            f"torch.nn.Sequential(torch.nn.MaxPool2d(2), @level_{level + 1}, "
            f"torch.nn.ConvTranspose2d({2 * here}, {here}, 2, stride=2))"
        )
        skip = f"monai.networks.layers.SkipConnection({below}, dim=1, mode='cat')"
        yield (
            f"level_{level}",
            f"$torch.nn.Sequential({first}, {skip}, @two_convolutions({2 * here}, {here}))",
        )


def _inference(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The config that `monai.bundle run` executes."""
    height, width = metadata["size"]
    window, side = metadata.get("window"), (metadata.get("preparation") or {}).get("mirrored")
    config: dict[str, Any] = {
        "imports": [
            "$import glob",
            "$import io",
            "$import monai",
            "$import numpy as np",
            "$from PIL import Image",
            "$from PIL import ImageOps",
            "$import torch",
        ],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/masks'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
    }
    if side:
        # The text is what KeyError shows, so that no side is guessed.
        config["laterality"] = "add --laterality left or right: the side that all images show"
        config["mirror"] = f"${{'left': {side == 'left'}, 'right': {side == 'right'}}}[@laterality]"
    else:
        config["mirror"] = False
    config |= {
        "classes": list(metadata["classes"]),
        "datalist": "$[{'image': path} for path in sorted(glob.glob(glob.escape(@dataset_dir) + '/**/*', "
        "recursive=True)) if path.lower().endswith(('.png', '.jpg', '.jpeg', '.tif', '.tiff'))]",
        "two_convolutions": "$lambda inputs, outputs: torch.nn.Sequential("
        "torch.nn.Conv2d(inputs, outputs, 3, padding=1), torch.nn.InstanceNorm2d(outputs, affine=True), "
        "torch.nn.LeakyReLU(), "
        "torch.nn.Conv2d(outputs, outputs, 3, padding=1), torch.nn.InstanceNorm2d(outputs, affine=True), "
        "torch.nn.LeakyReLU())",
        **dict(_levels(metadata["width"], metadata["depth"])),
        "network_def": f"$torch.nn.Sequential(@level_0, torch.nn.Conv2d({metadata['width']}, "
        f"{len(metadata['classes'])}, 1))",
        "network": "$@network_def.to(@device)",
        "resize": "$lambda values, height, width: np.array(Image.fromarray(values).resize("
        "(width, height), Image.Resampling.BILINEAR))",
        "grey_values": "$lambda image: np.array(image if image.mode == 'L' "
        "or image.mode.startswith(('I', 'F')) else image.convert('RGB').convert('L'))",
        **_eight_bits(window),
        # Pillow inverts TIFF files in which white is 0 (tag 262), but not those with more than 8 bits.
        "inverted": "$lambda image, values: getattr(image, 'tag_v2', {}).get(262) == 0 and "
        "values.dtype != np.uint8",
        "as_grey": "$lambda image, values: 255 - @eight_bits(values) if @inverted(image, values) "
        "else @eight_bits(values)",
        "grey": "$lambda image: Image.fromarray(@as_grey(image, "
        "@grey_values(ImageOps.exif_transpose(image))))",
        # Of a file that it has mapped into memory, Pillow does not turn TIFF images rightly.
        "opened": "$lambda path: Image.open(io.BytesIO(open(path, 'rb').read()))",
        "read": "$lambda image: @grey(@opened(image.filename))",
        "turned": "$lambda values: np.ascontiguousarray(values[:, ::-1]) if @mirror else values",
        "prepare": "$lambda image: (torch.as_tensor(@resize(@turned(np.asarray(image[0].cpu(), np.uint8)), "
        f"{height}, {width})[None], dtype=torch.float32) / 255 - {metadata['mean']!r}) / {metadata['std']!r}",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "LoadImaged",
                    "keys": "image",
                    "reader": "PILReader",
                    "converter": "@read",
                    "reverse_indexing": False,
                    "ensure_channel_first": True,
                },
                {"_target_": "CopyItemsd", "keys": "image", "names": "original"},
                {"_target_": "Lambdad", "keys": "image", "func": "@prepare"},
            ],
        },
        "dataset": {"_target_": "Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {"_target_": "SimpleInferer"},
        # A class with any pixel above the threshold never disappears by resizing.
        "drawn": f"$lambda values, large: (large > min({THRESHOLD}, int(large.max()) - 1)) "
        f"& (values.max() > {THRESHOLD})",
        "mask": "$lambda values, height, width: @turned(@drawn(values, @resize(values, height, width)))",
        "probabilities": "$lambda logits: (logits.float().sigmoid() * 255).round().to(torch.uint8)"
        ".cpu().numpy()",
        # MONAI writes images with their axes exchanged.
        "masks": "$lambda data: {**data, **{'mask ' + name: monai.data.MetaTensor(torch.as_tensor("
        "@mask(values, *data['original'].shape[1:]).T[None].astype(np.float32)), "
        "meta={**data['original'].meta, 'class': name}) "
        "for name, values in zip(@classes, @probabilities(data['pred']))}}",
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                "@masks",
                {
                    "_target_": "SaveImaged",
                    "keys": "$['mask ' + name for name in @classes]",
                    "output_dir": "@output_dir",
                    "output_postfix": "",
                    "output_ext": ".png",
                    "output_dtype": "$np.uint8",
                    "scale": 255,
                    "resample": False,
                    "data_root_dir": "@dataset_dir",
                    "output_name_formatter": "$lambda meta, _: {'subject': meta['filename_or_obj'], "
                    "'idx': meta['class']}",
                    "print_log": False,
                },
            ],
        },
        "handlers": [
            {
                "_target_": "CheckpointLoader",
                "load_path": "$@bundle_root + '/models/model.pt'",
                "load_dict": {"model": "@network"},
                "map_location": "@device",
            }
        ],
        "evaluator": {
            "_target_": "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }
    return config


def _eight_bits(window: list[float] | None) -> dict[str, Any]:
    """The entries that map grey values to 0..255 as `images.grey.as_grey`."""
    if window is None:
        return {
            "eight_bits": "$lambda values: values if values.dtype == np.uint8 "
            "else ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)"
        }
    return {
        "window": list(window),
        "scaled": "$lambda values, low, high: np.rint(np.clip((values.astype(np.float64) - low) "
        "/ max(high - low, np.finfo(np.float64).tiny), 0, 1) * 255).astype(np.uint8)",
        # Where nearly all pixels have one value, the full range counts.
        "ends": "$lambda values, low, high: (low, high) if high > low "
        "else (float(values.min()), float(values.max()))",
        "eight_bits": "$lambda values: @scaled(values, *@ends(values, *np.percentile(values, @window)))",
    }


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The content of metadata.json, by MONAI's specification of bundles."""
    classes, size = list(metadata["classes"]), list(metadata["size"])
    common = {"type": "image", "spatial_shape": size, "dtype": "float32", "is_patch_data": False}
    listed = ", ".join(classes)
    return {
        "schema": _SCHEMA,
        "version": "0.1.0",
        "changelog": {"0.1.0": f"exported by samcarry {__version__}"},
        "monai_version": MONAI,
        "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"pillow": PIL.__version__, "pytorch-ignite": IGNITE},
        "optional_packages_version": {"fire": FIRE},
        "supported_apps": {},
        "name": "Segmentation of radiographs",
        "task": f"Segmentation of radiographs: {listed}",
        "description": f"A U-Net that segments {listed} in grey radiographs, trained with samcarry from "
        f"{_count(metadata, 'labelled')} labelled images. docs/README.md says how good it is.",
        "authors": _UNSTATED,
        "copyright": _UNSTATED,
        "data_source": _UNSTATED,
        "data_type": "PNG, JPEG or TIFF",
        "image_classes": "one channel of grey values 0 to 255, 0 is black, normalised",
        "pred_classes": f"one channel of logits for each of {listed}; classes may overlap",
        "intended_use": "Research on radiographs like the training images. It is not a medical device.",
        "references": [
            "Keuth et al. 'SAM Carries the Burden: A Semi-Supervised Approach Refining Pseudo Labels "
            "for Medical Segmentation.' https://doi.org/10.48550/arXiv.2411.12602"
        ],
        "network_data_format": {
            "inputs": {
                "image": {
                    **common,
                    "format": "magnitude",
                    "modality": "radiograph",
                    "num_channels": 1,
                    "value_range": [(value - metadata["mean"]) / metadata["std"] for value in (0, 1)],
                    "channel_def": {"0": "image"},
                }
            },
            "outputs": {
                "pred": {
                    **common,
                    "format": "classes",
                    "num_channels": len(classes),
                    "value_range": [],
                    "channel_def": {str(index): name for index, name in enumerate(classes)},
                }
            },
        },
    }


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
        limits=LIMITS.format(n=_count(metadata, "labelled")),
        rule=metadata["training"]["rule"] or "not recorded",
        n=_count(metadata, "labelled"),
        seed=_count(metadata, "seed"),
        **digests,
    )


def _count(metadata: Mapping[str, Any], name: str) -> str:
    value = metadata["training"][name]
    return "?" if value is None else str(value)


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
