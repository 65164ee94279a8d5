"""Probability maps of a trained nnU-Net."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samcarry.baselines.nnunet.environment import GREY_OFFSET, Plan, import_variables, silence_nnunet
from samcarry.runtime.progress import progress
from samcarry.storage.model_files import read_model

SPACING = {"spacing": (999, 1, 1)}  # the spacing that nnU-Net assumes for PNG images


def load_nnunet(path: str | Path, device: str, threads: int) -> tuple[Any, dict[str, Any]]:
    """nnU-Net's predictor with the weights of a model file, and the file's metadata.

    Raises:
        InputError: the file is missing, damaged or not an nnU-Net of samcarry.
    """
    os.environ.update(import_variables(threads))

    def build(weights: dict[str, Tensor], metadata: dict[str, Any]) -> Any:
        plan = Plan(metadata["plans"], metadata["dataset"])
        with silence_nnunet():
            return _predictor(plan, weights, metadata["mirroring"], device)

    return read_model(path, "nnU-Net", build)


def _predictor(plan: Plan, weights: Mapping[str, Tensor], mirroring: bool, device: str) -> Any:
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(plan.plans)
    configuration = manager.get_configuration("2d")
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        len(plan.classes),
        deep_supervision=False,
    )
    if weights.keys() != dict(network.named_parameters()).keys():
        raise KeyError("weights of another network")
    network.load_state_dict(weights, strict=False)  # its state dict has most weights under two names
    predictor = nnUNetPredictor(
        use_mirroring=mirroring,
        perform_everything_on_device=device == "cuda",
        device=torch.device(device),
        allow_tqdm=False,
    )
    axes = (0, 1) if mirroring else None
    network = network.to(device).eval()
    parameters = [network.state_dict()]
    predictor.manual_initialization(network, manager, configuration, parameters, plan.dataset, "", axes)
    return predictor


def predict(predictor: Any, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Probabilities times 255 (N, class, H, W) of grey images uint8 (N, H, W)."""
    values = []
    for image in progress(images, "predicted"):
        shifted = image[None, None].astype(np.float32) + GREY_OFFSET
        with silence_nnunet():
            _, probabilities = predictor.predict_single_npy_array(shifted, SPACING, None, None, True)
        values.append(np.rint(probabilities[:, 0] * 255).astype(np.uint8))
    return np.stack(values)
