"""`samcarry check`: all faults of a config and its data set at once, without running anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from samcarry.errors import InputError
from samcarry.images.preparation import check_window
from samcarry.pipeline.config import Config, main_sams
from samcarry.pipeline.fetching import waits_for_data
from samcarry.pipeline.settings import complete, of_config, read_configs
from samcarry.pipeline.sources import user_paths
from samcarry.sam.folders import digest_of_checkpoint
from samcarry.setup.inspection import inspect, table


@dataclass
class Verdict:
    """What `samcarry check` prints.

    Attributes:
        config: the complete config; incomplete if it has faults.
        table: lines about the data set.
        warnings: one line each.
        faults: one line each.
    """

    config: Config = field(default_factory=dict)
    table: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def check(files: Sequence[str], root: Path, threads: int = 1) -> Verdict:
    """Check a config and its data set.

    Args:
        files: config files, of which later ones take precedence; none means the demo.
        root: the workflow's folder.
        threads: how many cases are decoded in parallel.
    """
    verdict = Verdict()
    try:
        verdict.config, verdict.warnings = read_configs(files, root)
    except InputError as error:
        verdict.faults = of_config(str(error).splitlines()).splitlines()
        return verdict
    verdict.faults += of_config(complete(verdict.config, root)).splitlines()
    verdict.faults += _sam_faults(verdict.config) + _correction_faults(verdict.config)
    if not verdict.faults and waits_for_data(verdict.config):
        verdict.warnings.append(
            "the data set is not there yet, a run fetches it: check again after `snakemake fetch`"
        )
    elif _can_look(verdict.config):
        found = inspect(verdict.config, threads)
        verdict.table = table(found)
        verdict.warnings += found.warnings
        verdict.faults += found.faults
    return verdict


def _can_look(config: Config) -> bool:
    """Whether the parts of a config that reading the data set needs have values that can be used."""
    try:
        source, size = config["source"], (config["images"]["height"], config["images"]["width"])
        ready = source["format"] != "phantom" and bool(user_paths(source)) and source[source["format"]]
        numbers = [*size, config["n"], config["training"]["depth"], *config["ablation"]["n"]]
        blocks = (config["splits"], config["methods"])
        if (window := config["images"]["window"]) is not None:
            check_window(window)  # one line, instead of one for each image
        return bool(ready and all(type(number) is int and number > 0 for number in numbers) and all(blocks))
    except (KeyError, TypeError, AttributeError, ValueError):
        return False


def _correction_faults(config: Config) -> list[str]:
    """One line for each file of corrections that does not exist."""
    files = config.get("corrections")
    return [
        f"corrections: {file}: there is no such file; correct the path, or remove it from the list"
        for file in (files if isinstance(files, list) else [])
        if isinstance(file, str) and not Path(file).is_file()
    ]


def _folder_faults(model: str, file: Path) -> list[str]:
    """The fault of a model folder, if there is one; torch is imported here, which takes seconds."""
    from samcarry.sam.checkpoints import read_checkpoint

    try:
        read_checkpoint(model, file, None)
    except InputError as error:
        return [str(error)]
    return []


def _sam_faults(config: Config) -> list[str]:
    """One line for each checkpoint of the main line with another SHA-256, and for each unusable folder."""
    faults = []
    try:
        entries = {name: config["sam"]["models"][name] for name in main_sams(config)}
        for name, entry in entries.items():
            file, expected = Path(entry["file"]), entry.get("sha256")
            if expected and file.is_file() and digest_of_checkpoint(file) != expected:
                faults.append(
                    f"{file}: its SHA-256 is not the one that sam.models.{name} expects: download it again, "
                    "or set sha256 to null if it is another checkpoint of this architecture"
                )
            elif entry.get("folder") and file.is_file():
                faults += _folder_faults(entry["model"], file)
    except (KeyError, TypeError, AttributeError, InputError):
        pass  # faults of the config, which are reported as such
    return faults
