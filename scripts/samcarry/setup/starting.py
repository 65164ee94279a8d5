"""`samcarry init`: a config of some ten lines for a folder or an export, with the reasons for each choice."""

import math
import os
import re
import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import combining, normalize

import yaml

from samcarry.data.oddities import Look, find_dark, network_size
from samcarry.data.patients import Placed, patients_in_names
from samcarry.data.user_files import image_name, visible_files
from samcarry.errors import AboutSettings, InputError, raise_faults, shortlist
from samcarry.images.dicom import is_dicom
from samcarry.images.grey import open_image
from samcarry.pipeline.config import Config
from samcarry.pipeline.settings import complete
from samcarry.runtime.progress import duration
from samcarry.setup.estimates import CPU_PIXELS, GPU_PIXELS, disk_gigabytes, training_seconds
from samcarry.setup.finding import find_source
from samcarry.setup.hardware import Hardware, find_hardware
from samcarry.setup.inspection import Inspection, inspect
from samcarry.storage.files import write_text

FEWEST_PATIENTS = 6
"""With fewer labelled patients, no split by patient can be scored with an interval."""

_STEP = 16
_WIDE_ENOUGH = 6  # pixels of a small object at network size
_MOST_GROWTH = 4  # times the usual number of pixels, for small objects
_WINDOW = [0.5, 99.5]
_SMALL = {  # as in config/small_machine.yaml, whose results are in docs/studies.md
    "width": 10,
    "iterations": 6000,
    "batch_size": 2,
    "learning_rate": 0.02,
    "final_learning_rate": 0.0002,
    "max_positive_weight": 3,
    "threads": 1,
}
_GPU_MEMORY = 11  # GB that the paper reports for batches of 16 at GPU_PIXELS


@dataclass(frozen=True)
class Choices:
    """What a config sets, and why.

    Attributes:
        source: the block `source`.
        size: (height, width) of the network's input.
        smallest: width in pixels, at that size, that a tenth of all masks do not reach.
        n: number of labelled training cases.
        hidden: number of labelled training cases that become unlabelled.
        pattern: `splits.patient_pattern`, or None.
        window: `images.window`, or None.
        training: the block `training`, {} for the preset's.
    """

    source: dict[str, Any]
    size: tuple[int, int]
    smallest: float
    n: int
    hidden: int
    pattern: str | None
    window: list[float] | None
    training: dict[str, Any]


def start(
    path: Path,
    root: Path,
    target: Path | None = None,
    *,
    preset: str = "recommended",
    one_class: bool = False,
    hardware: Hardware | None = None,
) -> tuple[Path, str, list[str]]:
    """Write a config for the data in `path`; nothing is written if there is any fault.

    Args:
        path: a folder of images and labels, an export of another program, or its annotation file.
        root: the workflow's folder.
        target: the config; None = config/<name of the folder>.yaml.
        preset: `preset` in the config.
        one_class: whether the data are meant to have one class only.
        hardware: of the machine; None finds out.

    Returns:
        The config's path, its text, and warnings about the data.

    Raises:
        InputError: one line for each fault: no images, too few patients, one class, labels of another data
            set, an existing config, or what the input checks of a run would refuse.
    """
    stem = path.resolve().name if path.is_dir() else path.stem
    name = _name_of(stem)
    target = Path("config", f"{name}.yaml") if target is None else target
    if target.exists():
        raise InputError(f"{target}: exists already; remove it, or choose another name with --config")
    warnings: list[str] = []
    source = find_source(path, warnings)
    if source["format"] == "folder" and not (path / "labels").is_dir():
        raise InputError(
            f"{path}: has images, but no labels: put masks into {path}/labels/<case>/<class>.png; "
            "docs/annotating.md shows how to choose the first images and to draw masks on a page"
        )
    config = _first_config(name, source, preset, root)
    threads = hardware.cpus if hardware else os.cpu_count() or 1
    found = inspect(config, threads)
    pattern = None
    if found.contents and (named := _pattern(found)):
        pattern = named
        config["splits"]["patient_pattern"] = named
        found = inspect(config, threads)
    raise_faults(found.faults)
    raise_faults(_unfit(path, found, one_class))
    hardware = find_hardware() if hardware is None else hardware
    chosen = _choose(source, found, pattern, hardware, preset)
    text = _text(name, preset, chosen, found, hardware, target, one_class=one_class, root=root)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, text)
    warnings += [line for line in found.warnings if not isinstance(line, AboutSettings)]
    return target, text, warnings


def _name_of(stem: str) -> str:
    """A name for the data set: `stem` without accents; 'mine' if less than half of its letters are left."""
    bare = "".join(sign for sign in normalize("NFKD", stem) if not combining(sign))
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", bare).strip("-")
    kept, given = (sum(sign.isalnum() for sign in text) for text in (plain, bare))
    return plain if kept and 2 * kept >= given else "mine"


def _first_config(name: str, source: dict[str, Any], preset: str, root: Path) -> Config:
    """A complete config to look at the data with."""
    config: Config = {
        "preset": "fast" if preset == "paper" else preset,
        "dataset": name,
        "source": {key: dict(value) if isinstance(value, dict) else value for key, value in source.items()},
        "n": 1,
        "images": {"height": 96, "width": 96},
    }
    faults = complete(config, root)
    raise_faults([fault for fault in faults if not fault.startswith("sam.models.")])
    # What methods need of the cases is for the choices that follow.
    config["methods"] = ["unet"]
    return config


def _pattern(found: Inspection) -> str | None:
    """A pattern that likely finds patients in the names of cases that name none."""
    unnamed = [case for case in found.cases if case.patient == case.case]
    placed = [Placed(case.case, case.patient, case.split) for case in unnamed]
    named = patients_in_names(placed)
    return named[0] if named else None


def _unfit(path: Path, found: Inspection, one_class: bool) -> list[str]:
    """Why no study can be made of readable data."""
    faults = []
    patients = {case.patient for case in found.cases if case.labels is not None}
    if len(patients) < FEWEST_PATIENTS:
        faults.append(
            f"{path}: labels of {len(patients)} patients ({shortlist(sorted(patients), 3)}) cannot be split "
            f"by patient into train, val and test: label images of at least {FEWEST_PATIENTS} patients, "
            "better of 30 or more"
        )
    classes = found.contents.classes if found.contents else []
    if len(classes) == 1 and not one_class:
        faults.append(
            f"{path}: the labels have one class only, {classes[0]!r}: if that is the whole study, add "
            "--one-class; else add the labels of the other classes"
        )
    return faults


def _choose(
    source: dict[str, Any], found: Inspection, pattern: str | None, hardware: Hardware, preset: str
) -> Choices:
    contents = found.contents
    if contents is None:
        raise InputError(f"{source['format']}: nothing could be read")
    looks = list(contents.looks.values())
    usual = GPU_PIXELS if hardware.gpus and preset != "fast" else CPU_PIXELS
    shares = sorted(mask.share for look in looks for mask in look.masks.values())
    small = shares[len(shares) // 10] if shares else 1.0
    pixels = min(max(usual, round(_WIDE_ENOUGH**2 / small)), _MOST_GROWTH * usual)
    # Enlarging images would add no detail.
    pixels = min(pixels, round(statistics.median(look.size[0] * look.size[1] for look in looks)))
    size = network_size([look.size for look in looks], pixels, _STEP)
    training = len(found.order)
    unlabelled = sum(case.split == "unlabelled" for case in found.cases)
    n = training if unlabelled else max(1, training // 2)
    return Choices(
        source=source,
        size=size,
        smallest=(small * size[0] * size[1]) ** 0.5,
        n=n,
        hidden=0 if unlabelled else training - n,
        pattern=pattern,
        window=_WINDOW if find_dark(contents.looks) else None,
        training=_training(preset, size, hardware),
    )


def _training(preset: str, size: tuple[int, int], hardware: Hardware) -> dict[str, Any]:
    """The block `training` that this machine can run; {} for the preset's."""
    if preset != "recommended":
        return {}
    if not hardware.gpus:
        return dict(_SMALL)
    room = min(memory for _, memory in hardware.gpus)
    # FixMatch draws as many unlabelled images in addition.
    of_batch = 2 * _GPU_MEMORY * size[0] * size[1] / GPU_PIXELS / 16
    batch = next((batch for batch in (16, 8, 4) if batch * of_batch <= room), 2)
    return {} if batch == 16 else {"batch_size": batch}


def _text(
    name: str,
    preset: str,
    chosen: Choices,
    found: Inspection,
    hardware: Hardware,
    target: Path,
    *,
    one_class: bool,
    root: Path,
) -> str:
    if found.contents is None:
        raise InputError(f"{name}: nothing could be read")
    looks = found.contents.looks
    threads = "--cores all" + (" --resources gpu=1" if hardware.gpus else "")
    height, width = chosen.size
    aspect = statistics.median(look.size[1] / look.size[0] for look in looks.values())
    lines = [
        f"# Written by `samcarry init`. Run: snakemake {threads} --configfile {target}",
        *(f"# {line}" for line in _findings(chosen.source, found, looks)),
        f"# Machine: {hardware}. {_estimate(name, preset, chosen, found, hardware, root)}",
        "# docs/config.md explains every key; what is not here has the value of the preset or the default.",
        f"preset: {preset} # {_WHY_PRESET[preset]}",
        f"dataset: {_quoted(name)} # results are written to results/{name}",
        _source_lines(chosen.source),
        f"images: {{height: {height}, width: {width}{_window(chosen)}}} # the images' median aspect is "
        f"{aspect:.2f} (width / height); small objects are about {chosen.smallest:.0f} pixels wide",
    ]
    if chosen.hidden:
        lines.append(
            f"n: {chosen.n} # every case has labels: half of the training cases keep theirs, and the other "
            f"{chosen.hidden} count as unlabelled"
        )
    else:
        lines.append(f"n: {chosen.n} # all labelled training cases")
    splits = {}
    if chosen.pattern:
        splits["patient_pattern"] = _quoted(chosen.pattern)
    if chosen.hidden:
        splits["hide_labels_beyond"] = str(chosen.n)
    if splits:
        inner = ", ".join(f"{key}: {value}" for key, value in splits.items())
        why = "images of one patient stay in one split" if chosen.pattern else "their labels stay hidden"
        lines.append(f"splits: {{{inner}}} # {why}")
    if one_class:
        lines.append(f"classes: [{_quoted(found.contents.classes[0])}] # one class is what is meant")
    if chosen.training:
        inner = ", ".join(f"{key}: {value}" for key, value in chosen.training.items())
        why = (
            "small enough for CPUs, as in config/small_machine.yaml" if not hardware.gpus else "fits this GPU"
        )
        lines.append(f"training: {{{inner}}} # {why}")
    if chosen.training and not hardware.gpus:
        lines += ["f_phi: {iterations: null} # as long as training.iterations", "cleaning: {radius: 2}"]
    return "\n".join(lines) + "\n"


_WHY_PRESET = {
    "recommended": "the rows that did best in our studies, with the small SAM that is included",
    "paper": "the paper's settings; needs ViT-H in resources/ (docs/studies.md)",
    "fast": "a first look; its numbers say nothing about a method",
    "none": "the schema's defaults",
}


def _window(chosen: Choices) -> str:
    return f", window: [{chosen.window[0]}, {chosen.window[1]}]" if chosen.window else ""


def _source_lines(source: dict[str, Any]) -> str:
    form = source["format"]
    if form == "folder":
        return f"source: {{format: folder, folder: {_quoted(source['folder'])}}}"
    block = source[form]
    places = block["annotations"]
    listed = f"[{', '.join(map(_quoted, places))}]" if isinstance(places, list) else _quoted(places)
    entries = [f"images: {_quoted(block['images'])}", f"annotations: {listed}"]
    entries += [f"table: {_quoted(block['table'])}"] if block.get("table") else []
    return f"source:\n  format: {form}\n  {form}: {{{', '.join(entries)}}}"


def _quoted(text: str) -> str:
    """A text as YAML inside brackets, on one line: in quotes if it would be read as something else."""
    listed = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=math.inf)
    return listed.strip()[1:-1]


def _findings(source: dict[str, Any], found: Inspection, looks: dict[str, Look]) -> list[str]:
    cases = found.cases
    heights = sorted(look.size[0] for look in looks.values())
    widths = sorted(look.size[1] for look in looks.values())
    classes = Counter(name for look in looks.values() for name in look.masks)
    patients = len({case.patient for case in cases})
    splits = Counter(case.split for case in cases)
    labelled = sum(case.labels is not None for case in cases)
    shown = shortlist([f"{name} ({count})" for name, count in sorted(classes.items())], 20)
    return [
        f"Found: {len(cases)} images, {labelled} with labels; width {widths[0]} to {widths[-1]}, height "
        f"{heights[0]} to {heights[-1]} pixels, {_depths(source)}.",
        f"Classes (cases): {shown}.",
        f"Patients: {patients}. Splits: "
        + ", ".join(f"{split} {splits[split]}" for split in ("train", "val", "test", "unlabelled"))
        + ".",
    ]


def _depths(source: dict[str, Any]) -> str:
    """The bit depths of the first images, as text."""
    form = source["format"]
    folder = Path(source["folder"], "images") if form == "folder" else Path(source[form]["images"])
    kinds = set()
    for file in [file for file in visible_files(folder, []) if image_name(file)][:20]:
        if is_dicom(file):
            kinds.add("DICOM")
        else:
            with open_image(file) as image:
                kinds.add("16 bits" if image.mode.startswith(("I", "F")) else "8 bits")
    return " and ".join(sorted(kinds))


def _estimate(
    name: str, preset: str, chosen: Choices, found: Inspection, hardware: Hardware, root: Path
) -> str:
    """Time and disk of the main line, roughly, as text."""
    config: Config = {
        "preset": preset,
        "dataset": name,
        "source": dict(chosen.source),
        "n": chosen.n,
        "images": {"height": chosen.size[0], "width": chosen.size[1]},
    }
    if chosen.training:
        config["training"] = dict(chosen.training)
    if chosen.training and not hardware.gpus:
        config["f_phi"] = {"iterations": None}
    complete(config, root)
    seconds, networks = training_seconds(config, on_gpu=bool(hardware.gpus))
    at_once = 1 if hardware.gpus else max(1, hardware.cpus // config["training"]["threads"])
    gigabytes = disk_gigabytes(config, len(found.cases), len(found.contents.classes))  # type: ignore[union-attr]
    where = "on an H200, several times that on a desktop GPU" if hardware.gpus else "on these CPUs"
    room = "" if gigabytes < hardware.free_disk else f", but only {hardware.free_disk:.0f} GB are free"
    return (
        f"Estimate: {networks} trainings in about {duration(seconds / at_once)} {where}, and "
        f"{gigabytes:.1f} GB of disk{room}; both may be wrong by a factor of three."
    )
