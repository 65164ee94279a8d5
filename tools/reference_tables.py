"""Tables of the documentation that follow from the code: the methods, and the files that rules write."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from samcarry.methods import GROUPS, METHODS, Method

# In the order of the Snakefile, which is the order of the data.
SNAKEFILE = (ROOT / "Snakefile").read_text(encoding="utf-8")
STAGES = re.findall(r'include: "workflow/rules/(\w+)\.smk"', SNAKEFILE)
PLACEHOLDERS = {"n{n}": "n<n>", "seed{seed}": "seed<s>", "{chain}": "[<chain>/]"}


def methods_reference() -> str:
    """A table of all methods: id, name, group, what it is, and what it needs."""
    lines = ["| id | name in tables | group | what it is | needs |", "|---|---|---|---|---|"]
    for group in GROUPS:
        for method in METHODS:
            if method.group == group:
                cells = (f"`{method.id}`", method.name, group, method.description, _needs(method))
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _needs(method: Method) -> str:
    needs = [f"`{block}.model`" for block in method.asks]
    return ", ".join([*needs, *(["hidden labels"] if method.needs_hidden_labels else [])])


def result_files() -> str:
    """A table of all files that rules write below results/<dataset>/: file, content, rule."""
    lines = ["| file below `results/<dataset>/` | content | rule |", "|---|---|---|"]
    for stage in STAGES:
        for rule, text, outputs in rules_of(ROOT / f"workflow/rules/{stage}.smk"):
            if not outputs:  # a fetched checkpoint, which is outside of the results
                continue
            files = ", ".join(f"`{_readable(path)}`" for path in outputs)
            lines.append(f"| {files} | {text} | `{rule}` |")
    return "\n".join(lines)


def rules_of(path: Path) -> list[tuple[str, str, list[str]]]:
    """Name, docstring and outputs of each rule of a file; `use rule` keeps the docstring of its base."""
    text = path.read_text(encoding="utf-8")
    block = r"^(?:(?:rule|checkpoint) (\w+)|use rule (\w+) as (\w+) with):\n((?:(?:    .*)?\n)+)"
    docs, rules = {}, []
    for name, base, derived, body in re.findall(block, text + "\n", re.MULTILINE):
        found = re.search(r'^    """(.*?)"""', body, re.DOTALL | re.MULTILINE)
        docs[name or derived] = " ".join(found[1].split()) if found else docs[base]
        output = body.split("    output:\n")[1].split("\n    log:")[0]
        outputs = re.findall(r'"(results/[^"]+)"', output.split("wildcard_constraints:")[0])
        rules.append((name or derived, docs[name or derived], outputs))
    return rules


def _readable(path: str) -> str:
    path = path.removeprefix("results/{dataset}/")
    for wildcard, text in PLACEHOLDERS.items():
        path = path.replace(wildcard, text)
    return re.sub(r"\{(\w+)\}", r"<\1>", path)
