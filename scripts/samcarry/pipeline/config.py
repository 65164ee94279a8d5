"""Checks of a config that a schema cannot express, mostly how its parts have to fit together."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from samcarry.data.user_files import composed
from samcarry.errors import InputError, raise_faults
from samcarry.measure.expressions import parse_expressions
from samcarry.methods import METHOD_IDS, METHODS, PAIRS, TUNING_STUDIES, method_of
from samcarry.pipeline.sources import is_table_study
from samcarry.sam.folders import CONFIG
from samcarry.sam.own_models import EMBEDDING_BYTES, LATER_MODELS, OWN_MODELS

Config = dict[str, Any]

PRIMARY = ("ours_r", "unet")
"""The primary comparison if the config declares none."""

NNUNETS_ITERATIONS = 250_000
"""The length of a training by nnU-Net's own default: 1000 epochs of 250 iterations."""

_PAPERS_WAY = {
    "zoom": None,
    "image": "network",
    "prior": "none",
    "fuse": 1,
    "multimask": False,
    "prompts": 1,
    "rounds": 1,
}


def check_settings(config: Config) -> None:
    """Fill in what the schema's defaults do not reach, and check how the parts fit together.

    Args:
        config: a config that the schema accepts.

    Raises:
        InputError: one line for each fault, naming the key, what is wrong and what to do.
    """
    raise_faults(setting_faults(config, is_valid=True))


def setting_faults(config: Config, *, is_valid: bool) -> list[str]:
    """As `check_settings`, but returns the faults.

    Args:
        config: a config, changed in place.
        is_valid: whether the schema accepts it. If not, a check is left out if these faults break it.
    """
    faults: list[str] = []
    for check in _CHECKS:
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


def compose_names(config: Config) -> None:
    """Put names of classes, columns and patients into Unicode's composed form, like those in files.

    Args:
        config: a config that the schema accepts.

    Raises:
        InputError: a block has a name twice, in two forms.
    """
    splits = config["splits"]
    places = [
        (config, "classes"),
        (config, "measurements"),
        (splits, "patient_pattern"),
        (splits, "accepted_duplicates"),
    ]
    places.append((config["review"]["first"], "columns"))
    block = config["source"].get(config["source"]["format"])
    if isinstance(block, dict):
        places += [(block, key) for key in ("classes", "label", "attribute", "table")]
    for entry, key in places:
        if key != "table" or isinstance(entry.get(key), dict):
            entry[key] = _composed(entry.get(key), key)


def _composed(value: Any, key: str) -> Any:
    """A value of the key `key` with all its texts in composed form."""
    if isinstance(value, str):
        return composed(value)
    if isinstance(value, list):
        return [_composed(entry, key) for entry in value]
    if not isinstance(value, dict):
        return value
    found = {_composed(name, key): _composed(entry, key) for name, entry in value.items()}
    if len(found) < len(value):
        raise InputError(f"{key}: a name is listed twice, in two Unicode forms: remove one of the two")
    return found


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


def sams_of(config: Config, methods: Iterable[str]) -> list[str]:
    """The keys of sam.models that these methods need, sorted.

    Raises:
        InputError: a method needs MedSAM, but medsam.model names no checkpoint.
    """
    keys = set()
    for method in methods:
        for block in method_of(method).asks:
            key = sam_of_block(config, block)
            if key is None:
                raise InputError(
                    f"the method {method} needs {block}.model, the key of an entry of sam.models with "
                    f"protocol: {block}; set it, or remove {method} from the methods"
                )
            keys.add(key)
    return sorted(keys)


def reading_notes(config: Config, methods: Iterable[str]) -> list[str]:
    """Sentences for readers of results: `preset: fast`, and SAMs of these methods that are not official."""
    notes = {
        "tiny": "is the tiny one that is included, a demo model that has seen drawn scenes only: do not "
        "judge the method by it.",
        "small": "is the small one that is included, not an official checkpoint.",
    }
    models = {name: config["sam"]["models"][name]["model"] for name in sams_of(config, methods)}
    fast = ["`preset: fast` is for a first look: these numbers say nothing about a method."]
    return [
        *(fast if config.get("preset") == "fast" else []),
        *(f"SAM `{name}` {notes[model]}" for name, model in models.items() if model in notes),
    ]


def embedding_notes(config: Config, cases: int | None) -> list[str]:
    """A sentence on the size of stored embeddings for each SAM of the main line that is not a small one.

    Args:
        config: a checked config.
        cases: number of images; None = not known yet.
    """
    notes = []
    for name in main_sams(config):
        model = config["sam"]["models"][name]["model"]
        size = EMBEDDING_BYTES[model] / 1e6
        if model in OWN_MODELS or name not in _sams_that_store(config):
            continue
        total = "" if cases is None else f", {cases * size / 1e3:.1f} GB for {cases} images"
        stay = config["sam"]["embeddings"] == "keep"
        cure = "`sam.embeddings: temporary` removes them after use" if stay else "they are removed after use"
        notes.append(f"Embeddings by SAM `{name}` ({model}) take {size:.1f} MB an image{total}; {cure}.")
    return notes


def _sams_that_store(config: Config) -> set[str | None]:
    """The keys of sam.models that are asked about whole prepared images, whose embeddings are stored."""
    whole = [block for block in ("sam", "zoom") if _sees_whole_images(config[block])]
    return {sam_of_block(config, block) for block in (*whole, "medsam")}


def _sees_whole_images(block: Config) -> bool:
    return block["zoom"] is None and block["image"] == "network"


def sam_of_block(config: Config, block: str) -> str | None:
    """The key of sam.models that 'sam', 'medsam' or 'zoom' asks; None if the block names no checkpoint."""
    key: str | None = config[block]["model"]
    return config["sam"]["model"] if key is None and block == "zoom" else key


def needs_much_memory(config: Config) -> bool:
    """Whether a SAM that refines masks is an official one, which needs more memory than the small ones."""
    models = config["sam"]["models"]
    asked = {sam_of_block(config, block) for block in ("sam", "medsam", "zoom")} - {None}
    return any(models[key]["model"] not in OWN_MODELS for key in asked)


def asking_of(block: Config) -> Config:
    """How SAM is asked: the keys of the block 'sam' or 'zoom' that say so."""
    return {key: block[key] for key in ("first", "second", *_PAPERS_WAY)}


def is_papers_way(asking: Config) -> bool:
    """Whether SAM is asked as in the paper: about the whole prepared image, without P; prompts are free."""
    return all(asking[key] == value for key, value in _PAPERS_WAY.items())


def main_sams(config: Config) -> list[str]:
    """The keys of sam.models that the main line and the ablation need."""
    ablation = config["ablation"]["methods"] if config["ablation"]["n"] else []
    return sams_of(config, [*config["methods"], *ablation])


def methods_on_unlabelled(config: Config) -> list[str]:
    """The methods of the main line that learn from unlabelled cases."""
    own = ("mean_teacher", "fixmatch", "best", "f_phi")  # parts of their folders
    return [
        name
        for name in config["methods"]
        if method_of(name).pseudo_labels
        or any(part in f"{method_of(name).network} {method_of(name).masks}" for part in own)
    ]


def refiners_tuned(config: Config) -> list[str]:
    """The tuning studies that the methods of Table 1 use, none if tuning is off."""
    methods = config["table"]["methods"] if config["tuning"]["trials"] else []
    used = {method_of(method).tuned_by for method in methods}
    return [refiner for refiner in TUNING_STUDIES if refiner in used]


def check_files(config: Config, models: Iterable[str]) -> None:
    """Stop if the checkpoint of one of these keys of sam.models does not exist.

    Raises:
        InputError: naming the file.
    """
    files = {name: config["sam"]["models"][name]["file"] for name in models}
    raise_faults(
        [
            f"sam.models.{name} is '{file}', but there is no such file: put the checkpoint there, or "
            "choose another model"
            for name, file in files.items()
            if file and not Path(file).is_file()  # without a file, `_complete_models` says so
        ]
    )


def primary_of(config: Config, methods: Iterable[str]) -> list[str] | None:
    """The two methods of the primary comparison: the only one whose p value is not corrected.

    By default, it is `ours_r` against `unet`. None if one of the two is not among `methods`.
    """
    pair = config["evaluation"]["primary"] or list(PRIMARY)
    return pair if set(pair) <= set(methods) else None


def pairs_of(config: Config, methods: Iterable[str]) -> list[tuple[str, str]]:
    """The differences in a summary, the primary comparison among them."""
    primary = primary_of(config, methods)
    known = {frozenset(pair) for pair in PAIRS}
    return [*PAIRS, *([(primary[0], primary[1])] if primary and frozenset(primary) not in known else [])]


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


def _nnunet_notes(config: Config) -> dict[str, str]:
    """What was cut of nnU-Net's training, for its rows."""
    iterations = config["nnunet"]["epochs"] * config["nnunet"]["iterations_per_epoch"]
    if iterations >= NNUNETS_ITERATIONS:
        return {}
    text = f"trained for {iterations:,} iterations instead of nnU-Net's own {NNUNETS_ITERATIONS:,}"
    if config["nnunet"]["max_batch_size"]:
        text += f", in batches of at most {config['nnunet']['max_batch_size']}"
    text += ": this is not what nnU-Net is capable of"
    return dict.fromkeys(("nnunet_bce", "nnunet"), text)


def method_notes(config: Config, judged_split: str) -> dict[str, str]:
    """Remarks on single methods for the tables, by method id."""
    notes = _nnunet_notes(config)
    medsam = config["medsam"]["model"]
    if medsam is not None and config["sam"]["models"][medsam]["model"] == "tiny":
        notes |= {
            method.id: "the tiny SAM with MedSAM's protocol, not MedSAM's own weights"
            for method in METHODS
            if "medsam" in method.asks
        }
    for method in METHODS if judged_split == "val" else ():
        if method.asks_tuned_sam:
            remark = "its SAM was chosen"
        elif config["tuning"]["trials"] and method.tuned_by:
            remark = "its settings were tuned"
        else:
            continue
        remark += " on the same cases that it is scored on, because there is no test split"
        notes[method.id] = f"{notes[method.id]}; {remark}" if method.id in notes else remark
    return notes


def mirrored_side(config: Config) -> str | None:
    """The side whose images the import mirrors, as a model file records it; None if it mirrors none."""
    source = config["source"]
    return "right" if is_table_study(source) and source["cvat"]["mirror_right"] else None


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
    _check_hidden,
    _check_place,
    _check_sams,
    _check_multimask,
    _check_primary,
    _check_measurements,
    _check_main_files,
)
"""In this order; each one raises InputErrors, and is left out where the schema refuses what it reads."""
