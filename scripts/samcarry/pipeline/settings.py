"""A config as the workflow uses it: read, completed by a preset and the schema's defaults, and checked.

YAML and JSON Schema are imported in the functions that need them: every job process loads this module.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from samcarry.errors import InputError, raise_faults
from samcarry.pipeline.config import Config, compose_names
from samcarry.pipeline.config_faults import setting_faults
from samcarry.storage.reading import system_fault

SCHEMA = "workflow/schemas/config.schema.yaml"
"""The schema, below the workflow's folder."""

PRESETS = ("paper", "recommended", "fast")
"""The values of `preset` with a file in workflow/presets; `none` stands for the schema's defaults."""

_SEE = " (docs/config.md lists every key)"


def merge(base: Config, over: Config) -> Config:
    """`base` with the values of `over`, block by block; lists are replaced as a whole, as Snakemake does."""
    merged = deepcopy(base)
    for key, value in over.items():
        known = merged.get(key)
        merged[key] = merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def read_config(path: str | Path) -> Config:
    """The content of one config file.

    Raises:
        InputError: there is no such file, or it is not a YAML mapping; names the line.
    """
    import yaml

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [file.name for file in path.parent.glob("*.yaml")], 1)
        hint = f"did you mean {path.parent / near[0]}?" if near else "`samcarry init FOLDER` writes one"
        raise InputError(f"{path}: there is no such config; {hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); save it as UTF-8 text") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if "\t" in line[: len(line) - len(line.lstrip())]:
            raise InputError(f"{path}, line {number}: is indented with a tab; use blanks")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise InputError(f"{path}{place}: cannot be read ({problem}); correct this line") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: is not a mapping of keys to values; write `key: value` lines")
    raise_faults(writing_faults(path))
    return content


def writing_faults(path: str | Path) -> list[str]:
    """What YAML reads from a config file otherwise than a person does, one line each.

    Of two equal keys in one block, YAML drops the first with all that is in it. It reads 010 as 8.

    Args:
        path: a config file; one that is not YAML has none of these faults.
    """
    import yaml

    faults: list[str] = []
    try:
        waiting = [yaml.compose(Path(path).read_text(encoding="utf-8-sig"), yaml.SafeLoader)]
    except (yaml.YAMLError, UnicodeDecodeError):  # Snakemake reads JSON as well
        return []
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                line, name = key.start_mark.line + 1, str(key.value)
                if name in lines:
                    faults.append(
                        f"{path}, line {line}: repeats the key {name!r} of line {lines[name]}, which would "
                        "be ignored with all that is in it; put both into one, or remove one"
                    )
                lines.setdefault(name, line)
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif node is not None and _is_odd_number(node):
            value = yaml.safe_load(node.value)
            faults.append(
                f"{path}, line {node.start_mark.line + 1}: {node.value} is read as the number {value}; write "
                "the number in decimals, or put a text into quotes"
            )
    return faults


def _is_odd_number(node: Any) -> bool:
    """Whether a plain scalar is an octal number, or one with the base 60."""
    if not node.tag.endswith((":int", ":float")):
        return False
    return ":" in node.value or re.fullmatch(r"[-+]?0[0-7_]*[1-7][0-7_]+", node.value) is not None


def read_configs(paths: Iterable[str | Path], root: str | Path) -> tuple[Config, list[str]]:
    """The config that `snakemake --configfile <paths>` uses, before `complete`; and notes, one line each.

    A config with the key `preset` is complete: all that it lacks has the preset's or the schema's value.
    Others are merged over the demo's config.yaml, as every config once was.

    Args:
        paths: config files, of which later ones take precedence; none means the demo.
        root: the workflow's folder.

    Raises:
        InputError: one line for each file that cannot be read.
    """
    config: Config = {}
    faults = []
    for path in paths:
        try:
            config = merge(config, read_config(path))
        except InputError as error:
            faults.append(str(error))
    if faults:
        raise InputError("\n".join(faults))
    if "preset" in config:
        return config, []
    demo = Path(root) / "config.yaml"
    notes = note_on_base([Path(path) for path in paths], demo)
    return merge(read_config(demo), config), notes


def of_config(faults: Iterable[str]) -> str:
    """Faults of a config as one message, each on a line that says so."""
    return "\n".join(f"config: {fault}" for fault in faults)


def note_on_base(paths: Iterable[Path], demo: Path) -> list[str]:
    """A line for configs without the key `preset`, unless they are the demo's own."""
    others = [path.name for path in paths if path.resolve() != demo.resolve()]
    if not others:
        return []
    return [
        f"note: the key `preset` is not set, so every key missing in {' and '.join(others)} has the demo's "
        "value; with `preset: none` it has the schema's default (docs/config.md)"
    ]


def complete(config: Config, root: str | Path, *, with_files: bool = True) -> list[str]:
    """Fill in the preset's values and the schema's defaults, in place, and return all faults, one line each.

    Args:
        config: the merged config files. It is complete only if there is no fault.
        root: the workflow's folder.
        with_files: whether missing checkpoints are faults.
    """
    import yaml

    preset = config.get("preset")
    if preset in PRESETS:
        values = read_config(Path(root) / f"workflow/presets/{preset}.yaml")
        chosen = merge(values, config)
        config.clear()
        config.update(chosen)
    # By libyaml, where PyYAML has it: every job process reads the schema, and this takes a tenth of the time.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    schema = yaml.load((Path(root) / SCHEMA).read_text(encoding="utf-8"), loader)  # noqa: S506 (both are safe)
    faults = list(_schema_faults(config, schema))
    try:
        _find_included_sams(config, Path(root))
    except OSError as error:  # a folder that may not be entered
        return [*faults, str(system_fault(error.filename, error))]
    if not faults:
        try:
            compose_names(config)
        except InputError as error:
            return [*str(error).splitlines(), *setting_faults(config, is_valid=True, with_files=with_files)]
    return [*faults, *setting_faults(config, is_valid=not faults, with_files=with_files)]


def _find_included_sams(config: Config, root: Path) -> None:
    """Let entries of sam.models name files of the workflow's folder where the run's own has none."""
    models = sam.get("models") if isinstance(sam := config.get("sam"), dict) else None
    for entry in models.values() if isinstance(models, dict) else ():
        file = entry.get("file") if isinstance(entry, dict) else None
        if isinstance(file, str) and not Path(file).exists() and (root / file).exists():
            entry["file"] = str(root / file)


def _schema_faults(config: Config, schema: Config) -> Iterator[str]:
    """One line for each value that the schema refuses; sets the schema's defaults on the way."""
    from jsonschema import Draft202012Validator, validators

    check = Draft202012Validator.VALIDATORS["properties"]

    def fill(validator: Any, properties: Config, instance: Any, schema: Config) -> Iterator[Any]:
        if isinstance(instance, dict):
            for name, part in properties.items():
                if "default" in part:
                    instance.setdefault(name, deepcopy(part["default"]))
        yield from check(validator, properties, instance, schema) or ()

    filling = validators.extend(Draft202012Validator, {"properties": fill})
    for error in filling(schema).iter_errors(config):
        place = ".".join(str(part) for part in error.absolute_path)
        head = f"{place}: " if place else ""
        if error.validator == "additionalProperties" and error.validator_value is False:
            known = list(error.schema.get("properties", ()))
            for name in error.instance:
                if name not in known:
                    yield f"{head}{_unexpected(str(name), known)}{_SEE}"
            continue
        message = error.message.splitlines()[0]
        if len(message) > 300:
            message = message[:300] + " ..."
        yield f"{head}{message}{_SEE}"


def _unexpected(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{name!r} was unexpected: there is no such key{hint}"
