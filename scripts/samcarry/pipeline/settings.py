"""A config as the workflow uses it: read, completed by a preset and the schema's defaults, and checked.

YAML and JSON Schema are imported in the functions that need them: every job process loads this module.
"""

import difflib
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from samcarry.errors import InputError
from samcarry.pipeline.config import Config, compose_names
from samcarry.pipeline.config_faults import setting_faults

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
    return content


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
        f"note: the key `preset` is not set, so what {' and '.join(others)} does not set has the demo's "
        "values; with `preset: none` it has the schema's defaults (docs/config.md)"
    ]


def complete(config: Config, root: str | Path) -> list[str]:
    """Fill in the preset's values and the schema's defaults, in place, and return all faults, one line each.

    Args:
        config: the merged config files. It is complete only if there is no fault.
        root: the workflow's folder.
    """
    import yaml

    preset = config.get("preset")
    if preset in PRESETS:
        values = read_config(Path(root) / f"workflow/presets/{preset}.yaml")
        chosen = merge(values, config)
        config.clear()
        config.update(chosen)
    schema = yaml.safe_load((Path(root) / SCHEMA).read_text(encoding="utf-8"))
    faults = list(_schema_faults(config, schema))
    _find_included_sams(config, Path(root))
    if not faults:
        try:
            compose_names(config)
        except InputError as error:
            return [*str(error).splitlines(), *setting_faults(config, is_valid=True)]
    return [*faults, *setting_faults(config, is_valid=not faults)]


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
