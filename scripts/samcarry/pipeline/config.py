"""What a config asks for, in the words of rules: methods, SAMs, notes for readers, composed names."""

from collections.abc import Iterable
from typing import Any

from samcarry.data.contract import mirrored_cases
from samcarry.data.user_files import composed
from samcarry.errors import InputError
from samcarry.methods import METHODS, PAIRS, TUNING_STUDIES, method_of
from samcarry.pipeline.sources import is_table_study
from samcarry.sam.own_models import EMBEDDING_BYTES, OWN_MODELS

Config = dict[str, Any]

PRIMARY = ("ours_r", "unet")
"""The primary comparison if the config declares none."""

NNUNETS_ITERATIONS = 250_000
"""The length of a training by nnU-Net's own default: 1000 epochs of 250 iterations."""

_DUPLICATES = ("near_duplicates", "accepted_duplicates")  # keys of the block `splits`

_PAPERS_WAY = {
    "zoom": None,
    "image": "network",
    "prior": "none",
    "fuse": 1,
    "multimask": False,
    "prompts": 1,
    "rounds": 1,
}


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


def duplicates_of(config: Config) -> Config:
    """What happens to equal images of several splits: arguments of `duplicates.find_duplicates`."""
    return {key: config["splits"][key] for key in _DUPLICATES}


def splitting_of(config: Config) -> Config:
    """How cases are split: arguments of `cases.find_cases`."""
    others = (*_DUPLICATES, "hide_labels_beyond")
    return {key: value for key, value in config["splits"].items() if key not in others}


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
    for name, size_in_bytes in embedding_sizes(config).items():
        model = config["sam"]["models"][name]["model"]
        size = size_in_bytes / 1e6
        if model in OWN_MODELS:
            continue
        total = "" if cases is None else f", {cases * size / 1e3:.1f} GB for {cases} images"
        stay = config["sam"]["embeddings"] == "keep"
        cure = "`sam.embeddings: temporary` removes them after use" if stay else "they are removed after use"
        notes.append(f"Embeddings by SAM `{name}` ({model}) take {size:.1f} MB an image{total}; {cure}.")
    return notes


def embedding_sizes(config: Config) -> dict[str, int]:
    """Bytes that the stored embedding of an image takes, by the key of each SAM of the main line."""
    storing = _sams_that_store(config)
    models = config["sam"]["models"]
    return {name: EMBEDDING_BYTES[models[name]["model"]] for name in main_sams(config) if name in storing}


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
    """The side whose images are mirrored in the data set, as a model file records it; None if none is.

    An import has mirrored them, perhaps that from which a folder of the user was copied.
    """
    source = config["source"]
    if source["format"] == "folder":
        return "right" if mirrored_cases(source["folder"]) else None
    return "right" if is_table_study(source) and source["cvat"]["mirror_right"] else None
