"""The configs of a bundle for MONAI: expressions and parts of torch and MONAI only.

Images are read and resized by Pillow, as in `samcarry.images`, because other libraries round grey values
differently.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import PIL
import torch
from torch import Tensor

from samcarry import __version__
from samcarry.networks.unet import UNet
from samcarry.storage.probabilities import THRESHOLD

MONAI, IGNITE, FIRE = "1.6.1", "0.5.5", "0.7.1"
"""Versions with which a bundle was run."""

_SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
)
_UNSTATED = "not stated by samcarry; those who trained the network write it here"


def renamed_weights(network: UNet) -> dict[str, Tensor]:
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


def inference_config(metadata: Mapping[str, Any]) -> dict[str, Any]:
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
        **_refusals(window),
        "grey": "$lambda path, image: Image.fromarray(@as_grey(image, "
        "@whole(path, @grey_values(ImageOps.exif_transpose(image)))))",
        # Of a file that it has mapped into memory, Pillow does not turn TIFF images rightly.
        "opened": "$lambda path: Image.open(io.BytesIO(open(path, 'rb').read()))",
        "read": "$lambda image: @grey(image.filename, @single(image.filename, @opened(image.filename)))",
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


def _refusals(window: list[float] | None) -> dict[str, Any]:
    """The entries that refuse images as `images.grey.open_image` and `images.grey.as_grey`."""
    if window is None:
        valid = "values.dtype.kind != 'f' and values.min() >= 0 and values.max() <= 65535"
        fault = "its grey values are not integers from 0 to 65535; save it with 8 or 16 bits"
    else:
        valid, fault = (
            "np.isfinite(values).all()",
            "contains NaN or infinite grey values; save it with 8 or 16 bits",
        )
    return {
        # A lambda holds no statement `raise`.
        "refuse": "$lambda path, fault: (_ for _ in ()).throw(ValueError(path + ': ' + fault))",
        # Pillow decodes only the upper half of each value if colours have 16 bits; see tag 258 for TIFF.
        "deep": "$lambda image: not image.mode.startswith(('I', 'F')) and ("
        "';16' in str(image.tile) or max(getattr(image, 'tag_v2', {}).get(258, (8,))) > 8)",
        "single": "$lambda path, image: "
        "@refuse(path, 'contains several frames or pages; save only one of them') "
        "if getattr(image, 'n_frames', 1) > 1 else "
        "@refuse(path, 'has colours or alpha of 16 bits each; save it as grey with 16 bits, or with 8 bits "
        "each') "
        "if @deep(image) else image",
        "whole": f"$lambda path, values: values if {valid} else @refuse(path, {fault!r})",
    }


def bundle_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
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
        f"{counted(metadata, 'labelled')} labelled images. docs/README.md says how good it is.",
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


def counted(metadata: Mapping[str, Any], name: str) -> str:
    """A number of the training that a model file records, or '?'."""
    value = metadata["training"][name]
    return "?" if value is None else str(value)
