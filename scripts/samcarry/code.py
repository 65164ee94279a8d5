"""A digest of the code that a script runs, so that an edit reruns just what it concerns."""

import ast
import functools
import hashlib
from pathlib import Path


def code_digest(script: Path) -> str:
    """A digest of all library code that a script imports, at any depth; 12 hexadecimal digits.

    Snakemake does not see an edit of an imported module. Comments, formatting and docstrings do not
    count. The script itself does not either, since Snakemake looks at it.
    """
    waiting, seen = [script], {}
    while waiting:
        path = waiting.pop()
        imported, code = _parse(path.read_text(encoding="utf-8"))
        if path != script:
            seen[path] = code
        for module in imported:
            library = script.parent.joinpath(*module.split(".")).with_suffix(".py")
            if library not in seen:
                seen[library] = ""
                waiting.append(library)
    text = "".join(seen[path] for path in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@functools.cache
def _parse(source: str) -> tuple[frozenset[str], str]:
    """The samcarry modules that a source imports, and its code without docstrings, comments and layout."""
    tree = ast.parse(source)
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("samcarry."):
            imported.add(str(node.module))
        _drop_docstring(node)
    return frozenset(imported), ast.dump(tree)


def _drop_docstring(node: ast.AST) -> None:
    match getattr(node, "body", None):
        case [ast.Expr(value=ast.Constant() as docstring), *_]:
            docstring.value = ""
