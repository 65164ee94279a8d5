"""Faults of a config that a schema cannot express, mostly parts that do not fit together."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from samcarry.errors import InputError, raise_faults
from samcarry.images.preparation import check_window
from samcarry.measure.expressions import parse_expressions
from samcarry.methods import METHOD_IDS
from samcarry.pipeline.config import Config, main_sams, sam_of_block
from samcarry.pipeline.fetching import missing_checkpoints, missing_data, targets_of
from samcarry.pipeline.sources import is_table_study
from samcarry.sam.folders import CONFIG
from samcarry.sam.own_models import LATER_MODELS, OWN_MODELS


def setting_faults(config: Config, *, is_valid: bool, with_files: bool = True) -> list[str]:
    """Fill in what the schema's defaults do not reach, and return how the parts do not fit together.

    Each fault is a line that names the key, what is wrong and what to do.

    Args:
        config: a config, changed in place.
        is_valid: whether the schema accepts it. If not, a check is left out if these faults break it.
        with_files: whether missing checkpoints are faults.
    """
    faults: list[str] = []
    for check in (*_CHECKS, *((_check_main_files,) if with_files else ()), _check_fetch):
        try:
            check(config)
        except InputError as error:
            faults += str(error).splitlines()
        except (KeyError, TypeError, AttributeError, ValueError):
            if is_valid:
                raise
    return faults


def _complete_models(config: Config) -> None:
    faults = []
    for name, entry in config["sam"]["models"].items():
        entry.setdefault("protocol", "sam")
        entry.setdefault("sha256", None)
        entry.setdefault("url", None)
        if entry["url"] and (entry.get("folder") or not entry["sha256"]):
            faults.append(f"sam.models.{name}.url is for a `file` with `sha256`: set both, or remove url")
        stands_for = f"{entry['folder']}/{CONFIG}" if entry.get("folder") else ""
        if stands_for and entry["model"] in OWN_MODELS:
            faults.append(f"sam.models.{name}: '{entry['model']}' is not read from a folder: set file")
        elif stands_for and entry.get("file", stands_for) != stands_for:
            faults.append(f"sam.models.{name} has both file and folder: remove one of them")
        elif not stands_for and not entry.get("file"):
            faults.append(f"sam.models.{name} has neither file nor folder: set one of them (docs/sams.md)")
        entry.setdefault("file", stands_for)
        if entry["protocol"] == "medsam" and entry["model"] in LATER_MODELS:
            faults.append(
                f"sam.models.{name}: protocol medsam is for MedSAM, a vit_b, and not for "
                f"'{entry['model']}': remove the protocol"
            )
    raise_faults(faults)


def _check_lists(config: Config) -> None:
    raise_faults(
        [
            fault
            for block, methods in _method_lists(config).items()
            for fault in _method_faults(block, methods)
        ]
    )


def _check_sizes(config: Config) -> None:
    step = 2 ** config["training"]["depth"]
    raise_faults(
        [
            f"images.{side} is {config['images'][side]}, but a U-Net of depth "
            f"{config['training']['depth']} needs a multiple of {step}"
            for side in ("height", "width")
            if config["images"][side] % step
        ]
    )


def _check_window(config: Config) -> None:
    if (window := config["images"]["window"]) is not None:
        check_window(window, "images.window")


def _check_hidden(config: Config) -> None:
    most = config.get("splits", {}).get("hide_labels_beyond")
    largest = max([config["n"], *config["ablation"]["n"]]) if most else 0
    if most and most < largest:
        raise InputError(
            f"splits.hide_labels_beyond is {most}, but n or ablation.n asks for {largest} labelled cases: "
            f"raise it to {largest} or more, or lower them"
        )


def _check_place(config: Config) -> None:
    source = config["source"]
    if source["format"] != "phantom" and not source.get(source["format"]):
        raise InputError(
            f"source.format is '{source['format']}', so source.{source['format']} has to say where the "
            f"data are"
        )
    _check_source(source)


def _check_sams(config: Config) -> None:
    _check_sam_model(config, "sam", "sam")
    for block, protocol in (("medsam", "medsam"), ("zoom", "sam")):
        if config[block]["model"] is not None:
            _check_sam_model(config, block, protocol)


def _method_lists(config: Config) -> dict[str, list[str]]:
    return {
        "methods": config["methods"],
        "ablation.methods": config["ablation"]["methods"],
        "table.methods": config["table"]["methods"],
    }


def _method_faults(block: str, methods: Iterable[str]) -> list[str]:
    faults = []
    for method in methods:
        if method not in METHOD_IDS:
            close = difflib.get_close_matches(method, METHOD_IDS, 1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            faults.append(f"{block}: '{method}' is not a method; {hint}choose from {', '.join(METHOD_IDS)}")
    return faults


def check_files(config: Config, models: Iterable[str]) -> None:
    """Stop if the checkpoint of one of these keys of sam.models does not exist and will not be fetched.

    Raises:
        InputError: naming the file.
    """
    models = list(models)
    fetched = missing_checkpoints(config, models)
    entries = {name: config["sam"]["models"][name] for name in models}
    raise_faults(
        [
            f"sam.models.{name} is '{entry['file']}', but there is no such file: {_cure(entry)}"
            for name, entry in entries.items()
            # Without a file, `_complete_models` says so.
            if entry["file"] and not Path(entry["file"]).is_file() and entry["file"] not in fetched
        ]
    )


def _cure(entry: Config) -> str:
    if not entry["url"]:
        return "put the checkpoint there, or choose another model"
    return f"put {entry['url']} there, or set fetch.when to missing, and the run fetches it"


def _check_primary(config: Config) -> None:
    """Stop if the primary comparison that the config declares would not be made."""
    primary = config["evaluation"]["primary"]
    if primary is None:
        return
    raise_faults(_method_faults("evaluation.primary", primary))
    if not any(set(primary) <= set(methods) for methods in _method_lists(config).values()):
        raise InputError(
            f"evaluation.primary compares {primary[0]} with {primary[1]}, but neither `methods` nor "
            "`table.methods` lists both: add them there, or choose another pair"
        )


def _check_measurements(config: Config) -> None:
    """Stop if `measurements` are not of their form; classes are known only if the config lists them."""
    block = config.get("measurements") or {}
    faults = []
    for name, entry in block.items():
        try:
            parse_expressions({name: entry}, config["classes"], "measurements")
        except InputError as error:
            faults.append(str(error))
    raise_faults(faults)


def _check_source(source: Config) -> None:
    """Stop if keys of an import contradict each other."""
    name = f"source.{source['format']}"
    block = source.get(source["format"])
    if not isinstance(block, dict) or "annotations" not in block:
        return
    by_split = isinstance(block["annotations"], dict)
    if is_table_study(source):
        without_table = ("classes", "only_named", "cases", "counts")
        unused = next((key for key in without_table if block[key]), None)
        if unused is not None:
            raise InputError(f"{name}.{unused} is for an export without a table: remove it, or the table")
        if not by_split:
            raise InputError(
                f"{name}.annotations has to give the files by split (train, val, test) if there is a table"
            )
    elif unused := next((key for key in ("order", "unlabelled") if block.get(key)), None):
        raise InputError(
            f"{name}.{unused} needs a table: set {name}.table, or give order and split in {name}.cases"
        )
    if block["counts"] is not None and (by_split or block["cases"]):
        other = "cases" if block["cases"] else "annotations by split"
        raise InputError(f"{name}.counts and {other} both assign cases to splits: remove one of them")


def _check_fetch(config: Config) -> None:
    """Stop if an entry of `fetch.data` is not complete, or is missing and will not be fetched."""
    faults = []
    for name, entry in config["fetch"]["data"].items():
        place = f"fetch.data.{name}"
        if sum(bool(entry[key]) for key in ("url", "figshare", "kaggle")) != 1:
            faults.append(f"{place}: set exactly one of url, figshare and kaggle")
        elif bool(entry["url"]) != bool(entry["sha256"]):
            faults.append(f"{place}: sha256 is that of the file at url: set both")
        elif bool(entry["file"]) == bool(entry["unpack"]) or (entry["kaggle"] and entry["file"]):
            faults.append(f"{place}: set either file or unpack; Kaggle's archives need unpack")
        elif any(Path(path).parent == Path(path) for path in targets_of(entry)):
            faults.append(f"{place}: file and folders need a name")
    if config["fetch"]["data"] and config["source"]["format"] == "folder":
        faults.append("fetch.data is for imports: with source.format folder, put the data there yourself")
    raise_faults(faults or missing_data(config))


def _check_multimask(config: Config) -> None:
    for block in ("sam", "zoom"):
        name = sam_of_block(config, block)
        if name not in config["sam"]["models"]:
            continue  # `_check_sams` says so
        if config[block]["multimask"] and config["sam"]["models"][name]["model"] == "tiny":
            raise InputError(
                f"{block}.multimask is true, but '{name}' is a tiny SAM, which draws one mask: set it to "
                f"false, or choose another model"
            )


def _check_sam_model(config: Config, block: str, protocol: str) -> None:
    name, models = config[block]["model"], config["sam"]["models"]
    if name not in models:
        raise InputError(f"{block}.model is '{name}', but sam.models has only {', '.join(models)}")
    if models[name]["protocol"] != protocol:
        hint = {
            "sam": "MedSAM uses boxes only, in one pass: name it under medsam.model. ",
            "zoom": "MedSAM uses boxes only, on whole images: it cannot be asked on crops. ",
        }.get(block, "")
        raise InputError(
            f"{block}.model is '{name}', whose protocol is '{models[name]['protocol']}'. {hint}"
            f"{block}.model has to be an entry of sam.models with protocol: {protocol}"
        )


def _check_main_files(config: Config) -> None:
    lists = _method_lists(config)
    models = {sam_of_block(config, block) for block in ("sam", "medsam", "zoom")} - {None}
    # Other checks name unknown methods and models.
    if not any(_method_faults(*each) for each in lists.items()) and models <= set(config["sam"]["models"]):
        check_files(config, main_sams(config))


_CHECKS = (
    _complete_models,
    _check_lists,
    _check_sizes,
    _check_window,
    _check_hidden,
    _check_place,
    _check_sams,
    _check_multimask,
    _check_primary,
    _check_measurements,
)
"""In this order; each one raises InputErrors, and is left out where the schema refuses what it reads."""
