"""A digest of the code that a script runs, so that an edit reruns exactly the rules it concerns."""

import ast
import functools
import hashlib
from pathlib import Path

PACKAGE = "samcarry"


def code_digest(script: Path, root: Path) -> str:
    """A digest of all library code that a script imports, at any depth; 12 hexadecimal digits.

    Snakemake does not notice edits of imported modules. Comments, formatting and docstrings do not
    count. The script itself does not count either, because Snakemake watches it.

    Args:
        script: the Python file of a rule.
        root: the folder that holds the package `samcarry`.
    """
    text = "".join(_parse(path.read_text(encoding="utf-8"))[1] for path in modules_of(script, root))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def modules_of(script: Path, root: Path) -> list[Path]:
    """The files of all library modules that a script imports, at any depth, sorted.

    The `__init__.py` files of the packages on the way count too, since Python runs them.
    """
    waiting: list[Path] = [script]
    found: set[Path] = set()
    while waiting:
        imported, _ = _parse(waiting.pop().read_text(encoding="utf-8"))
        for name in imported:
            fresh = set(_files_of(name, root)) - found
            found |= fresh
            waiting += fresh
    return sorted(found)


def imported_names(script: Path, root: Path) -> set[str]:
    """Dotted names of all modules, of any package, that a script imports through the library."""
    sources = [script, *modules_of(script, root)]
    return {module for path in sources for module, _ in _imports(ast.parse(path.read_text(encoding="utf-8")))}


def _files_of(name: str, root: Path) -> list[Path]:
    """The files that `import name` runs: packages on the way and the module; none for an attribute."""
    files, folder = [], root
    for part in name.split("."):
        folder = folder / part
        if folder.is_dir():
            files.append(folder / "__init__.py")
        elif folder.with_suffix(".py").is_file():
            files.append(folder.with_suffix(".py"))
    return files


@functools.cache
def _parse(source: str) -> tuple[frozenset[str], str]:
    """The samcarry modules that a source imports, and its code without docstrings, comments and layout."""
    tree = ast.parse(source)
    # In `from package import name` the name may be a module or an attribute: `_files_of` sees which.
    imported = frozenset(
        f"{module}.{name}" for module, name in _imports(tree) if module.split(".")[0] == PACKAGE
    )
    for node in ast.walk(tree):
        _drop_docstrings(node)
    return imported, ast.dump(tree)


def _imports(tree: ast.AST) -> set[tuple[str, str]]:
    """(module, name) for each name that a source imports; an empty name for the module itself."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {(node.module, alias.name) for alias in node.names}
    return names


def _drop_docstrings(node: ast.AST) -> None:
    """Empty the strings that are statements of their own: docstrings of modules, functions and constants."""
    match node:
        case ast.Expr(value=ast.Constant(value=str()) as docstring):
            docstring.value = ""
