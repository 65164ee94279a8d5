"""Which files and folders a data set is read from, so that a change of any of them is noticed."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from samcarry.data.contract import pattern_root
from samcarry.pipeline.paths import Results

Source = Mapping[str, Any]
"""The config's block `source`."""

_FILES = ("table", "order", "unlabelled", "cases")


def is_table_study(source: Source) -> bool:
    """Whether it is a study like the paper's wrist, with a table of patients and sides."""
    return source["format"] == "cvat" and bool(source["cvat"].get("table"))


def source_folder(config: Mapping[str, Any]) -> str:
    """The folder with images/, labels/ and cases.csv, without corrections."""
    source, root = config["source"], Results(config["dataset"]).root
    if source["format"] == "folder":
        return str(source["folder"])
    if source["format"] == "phantom":
        return f"{root}/phantom"
    return f"{root}/imported" if is_table_study(source) else f"{root}/annotated"


def readers_file(config: Mapping[str, Any]) -> list[str]:
    """How well two readers of an image agree, if the data set is imported from annotations; else nothing."""
    folder = source_folder(config)
    return [f"{folder}/readers.csv"] if folder.endswith("/annotated") else []


def left_out_file(config: Mapping[str, Any]) -> list[str]:
    """How many images an import left out, if there is an import."""
    folder = source_folder(config)
    return [f"{folder}/left_out.csv"] if config["source"]["format"] not in ("folder", "phantom") else []


def cases_file(config: Mapping[str, Any]) -> list[str]:
    """cases.csv if a rule makes the data set; nothing if the user provides it."""
    return [] if config["source"]["format"] == "folder" else [f"{source_folder(config)}/cases.csv"]


def image_source(source: Source) -> str | None:
    """The folder from which an import reads the images; None if there is no import."""
    block = source.get(source["format"])
    return block.get("images") if isinstance(block, Mapping) else None


def source_files(source: Source) -> list[str]:
    """The files that are read besides images and folders: annotations, tables, sheets."""
    block = source.get(source["format"])
    if not isinstance(block, Mapping):
        return []
    sheets = [block[key] for key in _FILES if isinstance(block.get(key), str)]
    return sheets + [
        path for path in _annotations(block) if path == pattern_root(path) and not Path(path).is_dir()
    ]


def source_folders(source: Source) -> list[str]:
    """The folders that an import reads with everything in them."""
    block = source.get(source["format"])
    if not isinstance(block, Mapping) or "images" not in block:
        return []
    roots = [pattern_root(path) for path in _annotations(block)]
    if "masks" in block:  # the files that a table of masks lists
        tables = [root for root in roots if not Path(root).is_dir()]
        roots += [block["masks"]] if block["masks"] else [str(Path(table).parent) for table in tables]
    return [block["images"], *(root for root in roots if Path(root).is_dir())]


def user_paths(source: Source) -> list[str]:
    """All files and folders of the user that a data set is read from."""
    if source["format"] == "folder":
        return [f"{source['folder']}/{name}" for name in ("images", "labels", "cases.csv")]
    return [*source_files(source), *source_folders(source)]


def paths_by_split(annotations: str | Iterable[str] | Mapping[str, Any]) -> dict[str, list[str]]:
    """The config's `annotations` (a path, a list of paths, or either for each split) as {split: paths}.

    Files that are not given by split have the split ''.
    """
    by_split = annotations if isinstance(annotations, Mapping) else {"": annotations}
    return {
        split: [paths] if isinstance(paths, str) else list(paths)
        for split, paths in by_split.items()
        if paths
    }


def export_arguments(block: Mapping[str, Any]) -> dict[str, Any]:
    """The config's block of an export as arguments of `importing.annotations.import_annotations`.

    The options of the format's reader, and what the rest of the config says, are not among them.
    """
    return {
        "images": Path(block["images"]),
        "annotations": _files_by_split(block),
        "classes": {str(theirs): ours for theirs, ours in block["classes"].items()},
        "only_named": block["only_named"],
        "combine": block["combine"],
        "empty_is_labelled": block["empty"] == "labelled",
        "cases": Path(block["cases"]) if block["cases"] else None,
        "counts": block["counts"],
        "unreadable": block["unreadable"],
    }


def table_study_arguments(block: Mapping[str, Any]) -> dict[str, Any]:
    """The config's block `cvat` of a study with a table as arguments of `importing.wrist.import_cvat`."""
    listed = block["unlabelled"]
    return {
        "images": Path(block["images"]),
        "annotations": _files_by_split(block),
        "table": Path(block["table"]),
        "order": Path(block["order"]) if block["order"] else None,
        "unlabelled": Path(listed) if isinstance(listed, str) else listed,
        "label": block["label"],
        "attribute": block["attribute"],
        "frontal_only": block["frontal_only"],
        "mirror_right": block["mirror_right"],
        "seed": block["unlabelled_seed"],
        "unreadable": block["unreadable"],
    }


def _files_by_split(block: Mapping[str, Any]) -> dict[str, list[Path]]:
    by_split = paths_by_split(block["annotations"])
    return {split: [Path(file) for file in files] for split, files in by_split.items()}


def _annotations(block: Mapping[str, Any]) -> list[str]:
    return [path for paths in paths_by_split(block.get("annotations") or {}).values() for path in paths]
