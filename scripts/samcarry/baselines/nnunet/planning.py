"""nnU-Net's planning and preprocessing for X^n, and what nnU-Net wants around it.

It plans and preprocesses as the framework does, below a folder that the caller names. Two things
differ, so that nothing is lost: classes overlap (`nnunet_codes`), and grey values are raised by 1, since
nnU-Net cuts rows and columns of zeros away, with the labels in them.

nnunetv2 is imported where it is used, after the environment that it reads at import has been set.
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

from samcarry.baselines.nnunet.environment import NAME, PLANS, RAISE, Plan, hushed, set_environment
from samcarry.baselines.nnunet.label_codes import encode, find_combinations, regions
from samcarry.networks.training_data import TrainingData
from samcarry.storage.files import write_text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Planning:
    """What the plan depends on; the config's schema gives meaning, units and defaults."""

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
    """Plan a network for X^n and preprocess it.

    Args:
        data: the images and masks of X^n.
        cases: their names.
        classes: all classes, also those that no case of X^n has.
        planning: memory that the plan aims at, and its largest batch.
        folder: gets raw/ and preprocessed/, which replace what was there.
        threads: cases that are preprocessed at once.

    Raises:
        InputError: no training case has any labelled pixel.
    """
    for part in ("raw", "preprocessed"):
        shutil.rmtree(folder / part, ignore_errors=True)
    _write_raw(data, cases, classes, folder / "raw" / NAME)
    set_environment(folder, folder / "results", threads, workers=1)
    with hushed():
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
                write_text(folder / "preprocessed" / NAME / f"{PLANS}.json", json.dumps(plans, indent=1))
            preprocessor = api.PlansManager(plans).get_configuration("2d").preprocessor_class(verbose=False)
            preprocessor.show_progress_bar = False
            preprocessor.run(1, "2d", PLANS, threads)
    log.info(
        "planned a batch of %d patches of %s, %d stages",
        configuration["batch_size"],
        " x ".join(map(str, configuration["patch_size"])),
        configuration["architecture"]["arch_kwargs"]["n_stages"],
    )
    root = folder / "preprocessed" / NAME
    files = (root / f"{PLANS}.json", root / "dataset.json")
    return Plan(*(json.loads(file.read_text(encoding="utf-8")) for file in files))


def _write_raw(data: TrainingData, cases: Sequence[str], classes: Sequence[str], folder: Path) -> None:
    """Write images, label images and dataset.json as nnU-Net wants to find them."""
    combinations = find_combinations(data.masks)
    digest = hashlib.sha256(combinations.tobytes())
    files = {}
    folder.mkdir(parents=True)
    for number, (image, masks) in enumerate(zip(data.images, data.masks, strict=True)):
        codes = encode(masks, combinations)
        digest.update(image.tobytes() + codes.tobytes())
        name = f"case{number:05d}"
        Image.fromarray(image.astype(np.uint16) + RAISE).save(folder / f"{name}_0000.png")
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
    """Let nnU-Net's planning work in threads of this process.

    It starts processes that import the main file anew, which a script of Snakemake cannot stand, take
    longer to start than to do their work, and outlive a killed job.
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
    stand_in = SimpleNamespace(get_context=lambda method: context)
    for module in modules:
        module.multiprocessing = stand_in  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in modules:
            module.multiprocessing = multiprocessing  # type: ignore[attr-defined]
