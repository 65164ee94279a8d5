"""docs/config.md is what the config schema gives, and the schema describes every key."""

import re

import pytest
import yaml

import reference_tables
import write_reference as reference
from samcarry.importing.readers import READERS
from support.paths import ROOT

SCHEMA = reference.load_schema()
KEYS = {key.name: key for key in reference.all_keys(SCHEMA)}
CONFIGS = [ROOT / "config.yaml", *sorted((ROOT / "config").glob("*.yaml"))]


def leaves(block, schema, prefix=""):
    """Dotted names of the keys without further keys inside; names that the user chooses become <name>."""
    for name, value in block.items():
        entry = schema.get("properties", {}).get(name)
        place = prefix + name
        if entry is None and isinstance(schema.get("additionalProperties"), dict):
            entry, place = schema["additionalProperties"], f"{prefix}<name>"
        if isinstance(value, dict) and reference.keys_of(entry or {}, SCHEMA["$defs"]):
            yield from leaves(value, entry, f"{place}.")
        else:
            yield place


def test_every_generated_page_is_up_to_date():
    assert [str(path.relative_to(ROOT)) for path in reference.outdated_pages()] == []


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_every_key_has_a_description_in_full_sentences(key):
    description = key.schema.get("description", "")
    assert description[:1].isupper() or description.startswith("`"), description
    assert description.endswith("."), description


def test_every_shared_definition_has_a_description():
    assert all(entry["description"].endswith(".") for entry in SCHEMA["$defs"].values())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_key_of_a_config_is_in_the_schema(path):
    names = list(leaves(yaml.safe_load(path.read_text()), SCHEMA))
    assert len(names) > 10
    assert [name for name in names if name not in KEYS] == []


def test_every_key_is_on_the_page_itself_or_as_one_of_another_import_format():
    page = (ROOT / "docs/config.md").read_text()
    formats = [name for name, key in KEYS.items() if "annotations" in key.schema.get("properties", {})]
    assert {name.removeprefix("source.") for name in formats} == set(READERS)
    for name in KEYS:
        if not name.startswith(tuple(f"{block}." for block in formats)):
            assert f"| `{name}` |" in page or f"# `{name}`\n" in page, name
    inner = {name.split(".", 2)[2] for name in KEYS if name.startswith(tuple(f"{f}." for f in formats))}
    assert [name for name in inner if f".{name}` |" not in page] == []


def test_every_row_of_the_page_has_four_cells():
    rows = [line for line in (ROOT / "docs/config.md").read_text().splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {5}


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"type": "integer", "minimum": 1}, "whole number (1 or more)"),
        ({"type": ["number", "null"], "minimum": 0, "maximum": 1}, "number (0 to 1) or `null`"),
        ({"type": "number", "exclusiveMinimum": 0}, "number (above 0)"),
        ({"enum": ["box", None]}, "`box`, `null`"),
        ({"type": "string", "pattern": "^a|b$"}, "text matching `^a\\|b$`"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1}, "list of texts; at least 1"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "mapping to text"),
        ({"$ref": "#/$defs/method"}, "id of a [method](method.md#methods)"),
    ],
)
def test_values_are_described_as_text(entry, text):
    assert reference._values(entry, SCHEMA["$defs"]) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.0e-5, "0.00001"), (None, "null"), (True, "true"), (["a", "b"], "[a, b]")]
)
def test_defaults_are_written_as_in_a_config(value, text):
    assert reference._plain(value) == text


PAGE = (
    "a\n<!-- generated: one -->\nold\n<!-- /generated -->\nb\n<!-- generated: two -->\n<!-- /generated -->\n"
)


def test_only_the_named_part_of_a_page_is_replaced():
    new = reference.replace_generated(PAGE, "one", "\\1 new\n")
    assert new == PAGE.replace("\nold\n", "\n\n\\1 new\n\n")
    assert reference.replace_generated(new, "one", "\\1 new") == new


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "<!-- generated: one -->\n",
        PAGE + PAGE,
        "<!-- generated: one -->\n<!-- generated: two -->\n<!-- /generated -->\n",
    ],
)
def test_a_page_without_exactly_one_such_part_is_an_error(text):
    with pytest.raises(ValueError, match="generated: one"):
        reference.replace_generated(text, "one", "new")


def test_the_check_names_outdated_pages_and_changes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "SECTIONS", {"docs/page.md": {"one": lambda: "new"}})
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/page.md"
    page.write_text(PAGE)
    assert reference.main(["--check"], tmp_path) == 1
    assert page.read_text() == PAGE
    message = capsys.readouterr().err
    assert "docs/config.md" in message
    assert "docs/page.md" in message

    assert reference.main([], tmp_path) == 0
    assert "new" in page.read_text()
    assert (tmp_path / "docs/config.md").read_text() == reference.config_reference(SCHEMA)
    assert reference.main(["--check"], tmp_path) == 0


def test_a_page_without_a_part_that_it_should_have_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "SECTIONS", {"page.md": {"three": lambda: ""}})
    (tmp_path / "page.md").write_text(PAGE)
    with pytest.raises(ValueError, match=r"page\.md.*three"):
        reference.expected_pages(tmp_path)


def as_pattern(output):
    """A regular expression for the paths that a rule's output stands for."""
    parts = re.split(r"\{\w+\}", output.removeprefix("results/{dataset}/"))
    return re.compile(".*".join(map(re.escape, parts)))


def test_the_files_that_docs_explain_are_outputs_of_rules():
    rules = (ROOT / "workflow/rules").glob("*.smk")
    outputs = [path for file in rules for _, _, paths in reference_tables.rules_of(file) for path in paths]
    assert len(outputs) > 60
    page = (ROOT / "docs/files.md").read_text().split("<!-- /generated -->")[1]
    explained = re.findall(r"^\| `([^`.][^`]*\.[a-z.]+)`", page, re.MULTILINE)
    assert len(explained) > 30
    kept_beside_outputs = {"n<k>/tuned/<study>.journal"}
    for path in set(explained) - kept_beside_outputs:
        assert any(as_pattern(output).fullmatch(path) for output in outputs), path


def test_every_rule_says_what_it_makes():
    for file in (ROOT / "workflow/rules").glob("*.smk"):
        for rule, text, outputs in reference_tables.rules_of(file):
            assert text.endswith("."), rule
            assert outputs or rule == "fetch_checkpoint", rule  # whose file is outside of the results
