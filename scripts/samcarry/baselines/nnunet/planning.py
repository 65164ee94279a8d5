"""nnU-Net's planning and preprocessing of X^n.

nnU-Net chooses patch size, batch size and network architecture from the training images (the plan) and stores
the images preprocessed. This module writes X^n in nnU-Net's format and runs both steps, below a folder that
the caller chooses. The data differ from what nnU-Net usually reads in two ways:

- Classes may overlap: label images hold codes of class combinations (see `label_codes`).
- Grey values are increased by 1 (`GREY_OFFSET`): nnU-Net crops rows and columns of zeros, and would crop the
  labels in them, too.
"""

import contextlib
import hashlib
import json
import logging
import multiprocessing.pool
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
from PIL import Image

from samcarry.baselines.nnunet.environment import (
    DATASET_NAME,
    GREY_OFFSET,
    PLANS_NAME,
    Plan,
    set_environment,
    silence_nnunet,
)
from samcarry.baselines.nnunet.label_codes import encode_masks, find_combinations, regions
from samcarry.networks.training_data import TrainingData
from samcarry.storage.files import write_text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Planning:
    """Settings of the plan; the config schema gives meaning, units and defaults."""

    planning_gb: float
    max_batch_size: int | None


def make_plan(
    data: TrainingData,
    cases: Sequence[str],
    classes: Sequence[str],
    planning: Planning,
    folder: Path,
    threads: int,
) -> Plan:
    """Plan a network for X^n and preprocess X^n.

    Args:
        data: the images and masks of X^n.
        cases: names of its cases.
        classes: all classes, including those that are absent in X^n.
        planning: GPU memory that the plan targets, and the largest batch size.
        folder: folder for raw/ and preprocessed/; existing ones are replaced.
        threads: cases that are preprocessed in parallel.

    Raises:
        InputError: no training case has any labelled pixel.
    """
    for part in ("raw", "preprocessed"):
        shutil.rmtree(folder / part, ignore_errors=True)
    root = folder / "preprocessed" / DATASET_NAME
    _write_raw(data, cases, classes, folder / "raw" / DATASET_NAME)
    set_environment(folder, folder / "results", threads, workers=1)
    with silence_nnunet():
        from nnunetv2.experiment_planning import plan_and_preprocess_api as api

        with _threads_instead_of_processes():
            api.extract_fingerprint_dataset(
                1,
                num_processes=threads,
                check_dataset_integrity=True,
                verbose=False,
                show_progress_bar=False,
            )
            plans, _ = api.plan_experiment_dataset(1, gpu_memory_target_in_gb=planning.planning_gb)
            configuration = plans["configurations"]["2d"]
            if planning.max_batch_size:
                configuration["batch_size"] = min(configuration["batch_size"], planning.max_batch_size)
                write_text(root / f"{PLANS_NAME}.json", json.dumps(plans, indent=1))
            preprocessor = api.PlansManager(plans).get_configuration("2d").preprocessor_class(verbose=False)
            preprocessor.show_progress_bar = False
            preprocessor.run(1, "2d", PLANS_NAME, threads)
    log.info(
        "planned a batch of %d patches of %s, %d stages",
        configuration["batch_size"],
        " x ".join(map(str, configuration["patch_size"])),
        configuration["architecture"]["arch_kwargs"]["n_stages"],
    )
    files = (root / f"{PLANS_NAME}.json", root / "dataset.json")
    return Plan(*(json.loads(file.read_text(encoding="utf-8")) for file in files))


def _write_raw(data: TrainingData, cases: Sequence[str], classes: Sequence[str], folder: Path) -> None:
    """Write images, label images and dataset.json in nnU-Net's format."""
    combinations = find_combinations(data.masks)
    digest = hashlib.sha256(combinations.tobytes())
    files = {}
    folder.mkdir(parents=True)
    for number, (image, masks) in enumerate(zip(data.images, data.masks, strict=True)):
        codes = encode_masks(masks, combinations)
        digest.update(image.tobytes() + codes.tobytes())
        name = f"case{number:05d}"
        Image.fromarray(image.astype(np.uint16) + GREY_OFFSET).save(folder / f"{name}_0000.png")
        Image.fromarray(codes).save(folder / f"{name}.png")
        files[name] = {"images": [f"{name}_0000.png"], "label": f"{name}.png"}
    of_class = {f"class{number}": codes for number, codes in enumerate(regions(combinations))}
    dataset = {
        "channel_names": {"0": "grey"},
        "labels": {"background": 0, **of_class},
        "regions_class_order": list(range(1, len(classes) + 1)),
        "numTraining": len(cases),
        "file_ending": ".png",
        "overwrite_image_reader_writer": "NaturalImage2DIO",
        "dataset": files,
        "samcarry": {"cases": [*cases], "classes": [*classes], "content": digest.hexdigest()},
    }
    write_text(folder / "dataset.json", json.dumps(dataset, ensure_ascii=False))


@contextlib.contextmanager
def _threads_instead_of_processes() -> Iterator[None]:
    """Let nnU-Net's planning work in threads of this process instead of worker processes.

    The workers would import the main file again, which fails in a Snakemake script. They also take longer to
    start than to do their work, and outlive a killed job. nnU-Net has no setting for this, so
    `multiprocessing` is replaced in the three modules that use it.
    """
    from nnunetv2.experiment_planning import verify_dataset_integrity
    from nnunetv2.experiment_planning.dataset_fingerprint import fingerprint_extractor
    from nnunetv2.preprocessing.preprocessors import default_preprocessor

    modules: list[ModuleType] = [
        sys.modules[verify_dataset_integrity.__name__],
        fingerprint_extractor,
        default_preprocessor,
    ]
    context = SimpleNamespace(Pool=multiprocessing.pool.ThreadPool)
    replacement = SimpleNamespace(get_context=lambda method: context)
    for module in modules:
        module.multiprocessing = replacement  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in modules:
            module.multiprocessing = multiprocessing  # type: ignore[attr-defined]
