"""What a run fetches: checkpoints and files of a study that are named in the config and not there."""

from collections.abc import Iterable
from pathlib import Path

from samcarry.pipeline.config import Config

LIST = "fetched.json"
"""The list of what `fetch_data` has fetched, in the results folder."""


def missing_checkpoints(config: Config, models: Iterable[str]) -> dict[str, Config]:
    """{file: entry of sam.models} of the checkpoints among these that are missing and will be fetched."""
    if config["fetch"]["when"] == "never":
        return {}
    entries = [config["sam"]["models"][name] for name in models]
    return {entry["file"]: entry for entry in entries if entry["url"] and not Path(entry["file"]).exists()}


def targets_of(entry: Config) -> list[str]:
    """The files and folders that an entry of `fetch.data` makes."""
    return [*([entry["file"]] if entry["file"] else []), *entry["unpack"].values()]


def fetches_data(config: Config, root: str) -> bool:
    """Whether a rule of this run is to fetch the study's files, or has done so.

    Files that a user has put there need no rule.

    Args:
        config: a checked config.
        root: the results folder of the data set.
    """
    if config["fetch"]["when"] == "never" or not config["fetch"]["data"]:
        return False
    return Path(root, LIST).exists() or waits_for_data(config)


def waits_for_data(config: Config) -> bool:
    """Whether files of the study are still to be fetched."""
    return config["fetch"]["when"] == "missing" and bool(_missing(config))


def own_files(config: Config, files: Iterable[str]) -> list[str]:
    """Those files that no entry of `fetch.data` makes."""
    made = [Path(path) for entry in config["fetch"]["data"].values() for path in targets_of(entry)]
    return [file for file in files if not any(Path(file).is_relative_to(path) for path in made)]


def missing_data(config: Config) -> list[str]:
    """A line for each entry of `fetch.data` that is not there, if the run may not fetch it."""
    if config["fetch"]["when"] != "never":
        return []
    return [
        f"fetch.data.{name}: there is no {path}: get it from {_origin(entry)}, or set fetch.when to missing, "
        "and the run fetches it"
        for name, path, entry in _missing(config)
    ]


def _missing(config: Config) -> list[tuple[str, str, Config]]:
    return [
        (name, path, entry)
        for name, entry in config["fetch"]["data"].items()
        for path in targets_of(entry)
        if not Path(path).exists()
    ]


def _origin(entry: Config) -> str:
    if entry["figshare"]:
        return f"https://doi.org/{entry['figshare']} (file {entry['name']})"
    return entry["url"] or f"https://www.kaggle.com/datasets/{entry['kaggle']}"
