"""Write the reference pages that follow from the code, such as docs/config.md from the config schema.

    .venv/bin/python tools/write_reference.py            write the pages
    .venv/bin/python tools/write_reference.py --check    name each outdated page and exit with 1

A page is generated as a whole (PAGES), or only between `<!-- generated: NAME -->` and `<!-- /generated -->`
(SECTIONS).
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"

Schema = Mapping[str, Any]
"""A JSON schema, or the part of one that describes a single key."""

HEADER = """# Configuration reference

<!-- tools/write_reference.py generates this page from workflow/schemas/config.schema.yaml. Do not edit it. -->

This page lists every key of the config.
`make reference` (`tools/write_reference.py`) generates it from `workflow/schemas/config.schema.yaml`.
To change this page, edit that file and run the command again.

A file given with `--configfile` is merged over `config.yaml`, which holds the settings of the demo.
A key that is missing in both files has the default listed here.
An unknown key is an error.

A dotted key such as `images.height` is the key `height` in the block `images`.
"Network size" means the size that `images.height` and `images.width` set.
"""
TABLE_HEAD = "| key | values | default | meaning |\n|---|---|---|---|"
TYPE_NAMES = {
    "string": ("text", "texts"),
    "integer": ("whole number", "whole numbers"),
    "number": ("number", "numbers"),
    "boolean": ("`true` or `false`", "`true` or `false`"),
    "array": ("list", "lists"),
    "object": ("mapping", "mappings"),
}


class Key(NamedTuple):
    """One key of the config.

    Attributes:
        name: with the names of the blocks around it, as `images.height`.
        schema: describes the key; a `$ref` is resolved into it.
        is_required: whether the block around it must have it.
    """

    name: str
    schema: Schema
    is_required: bool


def load_schema(path: Path = SCHEMA) -> Schema:
    """The schema of the config."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def keys_of(schema: Schema, definitions: Schema, prefix: str = "") -> list[Key]:
    """The keys of one block, without those of the blocks inside it.

    Args:
        schema: of the block.
        definitions: the `$defs` of the whole schema.
        prefix: of the keys' names, such as `images.`.
    """
    properties = dict(schema.get("properties", {}))
    if _has_named_blocks(schema):
        properties["<name>"] = schema["additionalProperties"]
    required = schema.get("required", ())
    return [
        Key(prefix + name, _resolved(entry, definitions), name in required)
        for name, entry in properties.items()
    ]


def all_keys(schema: Schema) -> Iterator[Key]:
    """Every key of the config, each block before the keys in it."""

    def walk(block: Schema, prefix: str) -> Iterator[Key]:
        for key in keys_of(block, schema.get("$defs", {}), prefix):
            yield key
            yield from walk(key.schema, f"{key.name}.")

    return walk(schema, "")


def config_reference(schema: Schema) -> str:
    """The page docs/config.md: a table of the single keys, a section for each block and for each shared list.

    Args:
        schema: of the config.

    Returns:
        Markdown, with a newline at its end.
    """
    definitions = schema.get("$defs", {})
    keys = keys_of(schema, definitions)
    blocks = [key for key in keys if _is_block(key)]
    lists = {name: entry for name, entry in definitions.items() if "enum" in entry}
    links = ", ".join(_link(key.name) for key in blocks)
    parts = [
        HEADER.strip(),
        f"Blocks: {links}.",
        "## Keys outside of blocks",
        _table([key for key in keys if not _is_block(key)], definitions),
    ]
    for key in blocks:
        parts += _section(key, definitions, level=2)
    for name, entry in lists.items():
        ids = "\n".join(f"- {_code(value)}" for value in entry["enum"])
        parts += [f"## `{name}`", _sentences(entry), ids]
    return "\n\n".join(parts) + "\n"


def replace_generated(text: str, name: str, content: str) -> str:
    """Replace what stands between `<!-- generated: NAME -->` and `<!-- /generated -->`.

    Args:
        text: of a Markdown page.
        name: of the generated part.
        content: what to put there.

    Returns:
        The text with the new content; the two marks stay.

    Raises:
        ValueError: the page does not have exactly one such part.
    """
    pattern = rf"(<!-- generated: {re.escape(name)} -->\n)(?:(?!<!-- generated: ).)*?(<!-- /generated -->)"
    found = re.findall(pattern, text, re.DOTALL)
    if len(found) != 1:
        raise ValueError(
            f"there are {len(found)} parts from '<!-- generated: {name} -->' to '<!-- /generated -->'; "
            "there must be exactly one"
        )
    return re.sub(
        pattern, lambda match: f"{match[1]}\n{content.strip()}\n\n{match[2]}", text, flags=re.DOTALL
    )


PAGES: dict[str, Callable[[], str]] = {"docs/config.md": lambda: config_reference(load_schema())}
"""Pages that are generated as a whole: {path: function that returns the page}."""

SECTIONS: dict[str, dict[str, Callable[[], str]]] = {}
"""Pages with generated parts: {path: {name of a part: function that returns its content}}."""


def expected_pages(root: Path = ROOT) -> dict[Path, str]:
    """Every page as it should be, by its path.

    Args:
        root: the folder that the paths of PAGES and SECTIONS start from.

    Raises:
        ValueError: a page does not have a part that SECTIONS names.
    """
    pages = {root / path: write() for path, write in PAGES.items()}
    for path, parts in SECTIONS.items():
        text = (root / path).read_text(encoding="utf-8")
        for name, write in parts.items():
            try:
                text = replace_generated(text, name, write())
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None
        pages[root / path] = text
    return pages


def outdated_pages(root: Path = ROOT) -> list[Path]:
    """The pages that are missing or differ from `expected_pages`."""
    return [
        path
        for path, text in expected_pages(root).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str] | None = None) -> int:
    """Write or check the pages; the exit status."""
    parser = argparse.ArgumentParser(description="Write the reference pages that follow from the code.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; name each outdated page and exit with 1"
    )
    options = parser.parse_args(arguments)
    outdated = outdated_pages()
    if options.check:
        for path in outdated:
            print(f"{path.relative_to(ROOT)} is outdated: run tools/write_reference.py", file=sys.stderr)
        return 1 if outdated else 0
    pages = expected_pages()
    for path in outdated:
        path.write_text(pages[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


def _resolved(entry: Schema, definitions: Schema) -> Schema:
    """A key's schema with the definition that it refers to; what the key says itself takes precedence."""
    return {**definitions[_reference(entry)], **entry} if "$ref" in entry else entry


def _reference(entry: Schema) -> str:
    return entry["$ref"].rsplit("/", 1)[-1]


def _has_keys(schema: Schema) -> bool:
    return "properties" in schema or _has_named_blocks(schema)


def _has_named_blocks(schema: Schema) -> bool:
    """Whether a block holds blocks whose names the user chooses."""
    others = schema.get("additionalProperties")
    return isinstance(others, Mapping) and "properties" in others


def _is_block(key: Key) -> bool:
    """Whether a key holds a fixed set of keys and nothing else."""
    return key.schema.get("type") == "object" and _has_keys(key.schema)


def _section(key: Key, definitions: Schema, level: int, earlier: tuple[Key, ...] = ()) -> list[str]:
    """The parts of the section on a block: heading, description, keys, and the sections of the blocks in it.

    Args:
        key: of the block.
        definitions: the `$defs` of the whole schema.
        level: of the heading, 2 or 3. At level 3, the blocks inside a block are rows of its table.
        earlier: the blocks beside it that have a section already; keys that one of them has are not repeated.
    """
    parts = [f"{'#' * level} `{key.name}`", _sentences(key.schema)]
    alike = _most_alike(key, earlier)
    keys = keys_of(key.schema, definitions, f"{key.name}.")
    if alike:
        shared = alike.schema["properties"]
        keys = [inner for inner in keys if inner.name.removeprefix(f"{key.name}.") not in shared]
        all_of = f"It has all keys of {_link(alike.name)}"
        parts.append(f"{all_of} and the following ones." if keys else f"{all_of}.")
    blocks = [inner for inner in keys if level == 2 and _is_block(inner)]
    rows = [inner for inner in keys if inner not in blocks]
    if rows:
        parts.append(_table(rows, definitions))
    for number, block in enumerate(blocks):
        parts += _section(block, definitions, level + 1, tuple(blocks[:number]))
    return parts


def _most_alike(key: Key, earlier: tuple[Key, ...]) -> Key | None:
    """The earlier block with the most keys all of which `key` has too; None if there is none."""
    own = key.schema.get("properties", {})
    alike = [
        block
        for block in earlier
        if (theirs := block.schema.get("properties"))
        and block.schema.get("required") == key.schema.get("required")
        and all(own.get(name) == entry for name, entry in theirs.items())
    ]
    return max(alike, key=lambda block: len(block.schema["properties"]), default=None)


def _table(keys: list[Key], definitions: Schema) -> str:
    """A table of keys; a key that has keys itself is followed by them."""

    def rows(several: list[Key]) -> Iterator[str]:
        for key in several:
            cells = (
                f"`{key.name}`",
                _values(key.schema, definitions),
                _default(key),
                _cell(_description(key.schema)),
            )
            yield "| " + " | ".join(cells) + " |"
            yield from rows(keys_of(key.schema, definitions, f"{key.name}."))

    return "\n".join([TABLE_HEAD, *rows(keys)])


def _default(key: Key) -> str:
    if key.is_required:
        return "required"
    if _is_block(key):
        return "see its keys"
    return _code(key.schema["default"]) if "default" in key.schema else "not set"


def _values(entry: Schema, definitions: Schema, *, several: bool = False) -> str:
    """Which values a key may have, as text for a table.

    Args:
        entry: the schema of the key.
        definitions: the `$defs` of the whole schema.
        several: whether the text is about the entries of a list.
    """
    if "$ref" in entry and "enum" in definitions[_reference(entry)]:
        name = _reference(entry)
        return f"[`{name}`](#{_anchor(name)}) ids" if several else f"a [`{name}`](#{_anchor(name)}) id"
    entry = _resolved(entry, definitions)
    if "enum" in entry:
        return ", ".join(map(_code, entry["enum"]))
    types = entry["type"] if isinstance(entry["type"], list) else [entry["type"]]
    if types == ["object"] and _has_keys(entry):
        return "block"
    words = [_of_type(kind, entry, definitions, several=several) for kind in types if kind != "null"]
    return " or ".join([*words, *(["`null`"] if "null" in types else [])])


def _of_type(kind: str, entry: Schema, definitions: Schema, *, several: bool) -> str:
    """One of a key's types, with its range."""
    word = TYPE_NAMES[kind][several]
    if kind in ("integer", "number"):
        return word + _range(entry)
    if kind == "string" and "pattern" in entry:
        return f"{word} matching {_code(entry['pattern'])}"
    if kind == "object" and isinstance(entry.get("additionalProperties"), Mapping):
        return f"{word} to {_values(entry['additionalProperties'], definitions)}"
    if kind != "array":
        return word
    least, most = entry.get("minItems", 0), entry.get("maxItems")
    count = f"{most} " if most and least == most else f"at least {least} " if least else ""
    unique = ", without duplicates" if entry.get("uniqueItems") else ""
    return f"{word} of {count}{_values(entry['items'], definitions, several=True)}{unique}"


def _range(entry: Schema) -> str:
    """The range of a number in brackets; '' if it has none."""
    if "exclusiveMinimum" in entry:
        return f" (above {_plain(entry['exclusiveMinimum'])})"
    if "minimum" not in entry:
        return ""
    end = f"to {_plain(entry['maximum'])}" if "maximum" in entry else "or more"
    return f" ({_plain(entry['minimum'])} {end})"


def _plain(value: Any) -> str:
    """A value as in YAML; small numbers without an exponent."""
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    return json.dumps(value)


def _code(value: Any) -> str:
    return f"`{_cell(_plain(value))}`"


def _cell(text: str) -> str:
    """Text for a cell of a table."""
    return text.replace("|", "\\|")


def _description(entry: Schema) -> str:
    return " ".join(entry.get("description", "").split())


def _sentences(entry: Schema) -> str:
    """A description with one sentence per line."""
    return re.sub(r"(?<=[.?]) (?=[A-Z`])", "\n", _description(entry))


def _link(name: str) -> str:
    return f"[`{name}`](#{_anchor(name)})"


def _anchor(name: str) -> str:
    """The anchor that Markdown viewers give to a heading."""
    return re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main())
