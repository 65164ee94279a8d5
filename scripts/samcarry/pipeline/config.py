"""What a schema cannot say of a config: which of its parts have to fit each other."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from samcarry.errors import InputError
from samcarry.pipeline.sources import is_table_study

WITHOUT_SAM = {
    "nnunet_bce",
    "unet",
    "unet_medsam",
    "unet_random_walk",
    "mean_teacher",
    "ours_p",
    "fixmatch",
    "unet_full",
}

MEDSAM_METHOD = "unet_medsam"

_TUNED = (
    "unet_sam",
    MEDSAM_METHOD,
    "unet_random_walk",
    "ours_r",
    "ours_r_weighted",
    "ours_r_round2",
    "ours_r_warm",
    "unet_sam_tolerant",
    "ours_r_tolerant",
)

Config = dict[str, Any]


def check_settings(config: Config) -> None:
    """Fill in what the schema's defaults do not reach, and check how the parts fit.

    Args:
        config: as the schema let it pass.

    Raises:
        InputError: naming the key, what is wrong and what to do.
    """
    for entry in config["sam"]["models"].values():
        entry.setdefault("protocol", "sam")
        entry.setdefault("sha256", None)
    step = 2 ** config["training"]["depth"]
    for side in ("height", "width"):
        if config["images"][side] % step:
            raise InputError(
                f"images.{side} is {config['images'][side]}, but a U-Net of depth "
                f"{config['training']['depth']} needs a multiple of {step}"
            )
    source = config["source"]
    if source["format"] != "phantom" and not source.get(source["format"]):
        raise InputError(
            f"source.format is '{source['format']}', so source.{source['format']} has to say where "
            f"the data lie"
        )
    _check_source(source)
    _check_sam_model(config, "sam", "sam")
    if config["medsam"]["model"] is not None:
        _check_sam_model(config, "medsam", "medsam")
    check_files(config, main_sams(config))


def sams_of(config: Config, methods: Iterable[str]) -> list[str]:
    """The keys of sam.models that these methods ask, sorted.

    Raises:
        InputError: `unet_medsam` is among them, and no model is named for it.
    """
    methods = set(methods)
    asked = {config["sam"]["model"]} if methods - WITHOUT_SAM else set()
    if MEDSAM_METHOD in methods:
        if config["medsam"]["model"] is None:
            raise InputError(
                f"the method {MEDSAM_METHOD} needs medsam.model, the key of an entry of sam.models with "
                f"protocol: medsam; name one, or take {MEDSAM_METHOD} from the methods"
            )
        asked.add(config["medsam"]["model"])
    return sorted(asked)


def main_sams(config: Config) -> list[str]:
    """The keys of sam.models that the main line and the ablation ask."""
    ablation = config["ablation"]["methods"] if config["ablation"]["n"] else []
    return sams_of(config, [*config["methods"], *ablation])


def check_files(config: Config, models: Iterable[str]) -> None:
    """Stop if the checkpoint of one of these keys of sam.models is not there.

    Raises:
        InputError: naming the file.
    """
    for name in models:
        file = config["sam"]["models"][name]["file"]
        if not Path(file).is_file():
            raise InputError(
                f"sam.models.{name}.file is '{file}', but there is no such file: put the checkpoint "
                f"there, or choose another model"
            )


def method_notes(config: Config, judged_split: str) -> dict[str, str]:
    """What a table has to say of single methods, by method id."""
    notes = {}
    medsam = config["medsam"]["model"]
    if medsam is not None and config["sam"]["models"][medsam]["model"] == "tiny":
        notes[MEDSAM_METHOD] = "the tiny SAM asked as MedSAM is, not MedSAM's own weights"
    if config["tuning"]["trials"] and judged_split == "val":
        tuned = "settings tuned on the very cases it is judged on, as there is no test split"
        for method in _TUNED:
            notes[method] = f"{notes[method]}; {tuned}" if method in notes else tuned
    return notes


def config_fault(error: BaseException) -> str:
    """Where the config is wrong, in one line; a schema's own message prints the whole config."""
    if isinstance(error, InputError):
        return f"config: {error}"
    fault = error.__cause__ or error.__context__ or error
    place = ".".join(str(part) for part in getattr(fault, "absolute_path", ()))
    message = getattr(fault, "message", str(error)).splitlines()[0]
    if len(message) > 300:
        message = message[:300] + " ..."
    return f"config{': ' + place if place else ''}: {message} (see config.yaml for every key)"


def _check_source(source: Config) -> None:
    """Stop where keys of an import go ill together."""
    name = f"source.{source['format']}"
    block = source.get(source["format"])
    if not isinstance(block, dict) or "annotations" not in block:
        return
    come_by_split = isinstance(block["annotations"], dict)
    if is_table_study(source):
        set_apart = ("classes", "only_named", "cases", "counts")
        idle = next((key for key in set_apart if block[key]), None)
        if idle is not None:
            raise InputError(f"{name}.{idle} is for an export without a table: remove it, or the table")
        if not come_by_split:
            raise InputError(
                f"{name}.annotations has to give the files by split (train, val, test), as there is a table"
            )
    elif idle := next((key for key in ("order", "unlabelled") if block.get(key)), None):
        raise InputError(
            f"{name}.{idle} needs a table: set {name}.table, or name order and split in {name}.cases"
        )
    if block["counts"] is not None and (come_by_split or block["cases"]):
        other = "cases" if block["cases"] else "annotations by split"
        raise InputError(f"{name}.counts and {other} both say what goes where: remove one of them")


def _check_sam_model(config: Config, block: str, protocol: str) -> None:
    name, models = config[block]["model"], config["sam"]["models"]
    if name not in models:
        raise InputError(f"{block}.model is '{name}', but sam.models has only {', '.join(models)}")
    if models[name]["protocol"] != protocol:
        hint = "MedSAM takes boxes only, in one pass: name it under medsam.model. " if block == "sam" else ""
        raise InputError(
            f"{block}.model is '{name}', whose protocol is '{models[name]['protocol']}'. {hint}"
            f"{block}.model has to be an entry of sam.models with protocol: {protocol}"
        )
