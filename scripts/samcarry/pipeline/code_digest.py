"""A digest of the code that a script runs, so that an edit reruns exactly the rules it concerns."""

import ast
import atexit
import contextlib
import functools
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from samcarry.storage.files import write_text

FRAME = "job.py"
"""What every script runs in. It counts, but what it imports on demand (torch, versions) does not."""


def code_digest(script: Path, root: Path) -> str:
    """A digest of all our own code that a script imports, at any depth; 12 hexadecimal digits.

    Snakemake does not notice edits of imported modules. Comments, formatting and docstrings do not
    count. The script itself does not count either, because Snakemake watches it. Files beside a module that
    have its name count with it, such as the template `page.html.jinja` of `page.py`, and so do the files in a
    folder of its name.

    Args:
        script: the Python file of a rule.
        root: the folder that holds the package `samcarry` and the modules that scripts share.
    """
    modules = modules_of(script, root)
    digest = hashlib.sha256()
    for path in modules:
        digest.update(_parse(path.read_text(encoding="utf-8"))[1].encode())
    for module in modules:
        for path in _templates_of(module):
            digest.update(path.read_text(encoding="utf-8").encode())
    return digest.hexdigest()[:12]


def _templates_of(module: Path) -> list[Path]:
    """The files beside a module that have its name and are not Python, and those in a folder of its name."""
    beside = [*module.parent.glob(f"{module.stem}.*"), *module.with_suffix("").glob("*.*")]
    return sorted(path for path in beside if path.suffix not in (".py", ".pyc", ".pyi"))


def modules_of(script: Path, root: Path) -> list[Path]:
    """The files below `root` that a script imports, at any depth, sorted.

    The `__init__.py` files of the packages on the way count too, since Python runs them.
    """
    waiting: list[Path] = [script]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path.name == FRAME:
            continue
        fresh = _imported_files(path.read_text(encoding="utf-8"), root) - found
        found |= fresh
        waiting += fresh
    return sorted(found)


def imported_names(script: Path, root: Path) -> set[str]:
    """Dotted names of all modules, of any package, that a script imports through the library."""
    sources = [script, *(path for path in modules_of(script, root) if path.name != FRAME)]
    return {module for path in sources for module, _ in _parse(path.read_text(encoding="utf-8"))[0]}


_Parsed = tuple[list[tuple[str, str]], str]
_remembered: dict[str, _Parsed] = {}
_found: dict[str, _Parsed] = {}
"""{digest of a source: what `_parse` returns for it}, of earlier processes and of this one."""


def remember_sources(file: Path) -> None:
    """Take from `file` what earlier processes found in sources, and replace it at exit if there is more.

    Parsing the library takes a second of each process that loads the Snakefile. Sources are known by their
    content; a file that is missing, cut or of another Python counts as empty.
    """
    file = file.absolute()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        _remembered.update(kept["sources"] if kept["python"] == sys.version else {})

    def replace() -> None:
        if set(_found) - set(_remembered):
            with contextlib.suppress(OSError):
                write_text(file, json.dumps({"python": sys.version, "sources": _found}))

    atexit.register(replace)


@functools.cache
def _imported_files(source: str, root: Path) -> frozenset[Path]:
    """The files below `root` that a source imports itself."""
    imported, _ = _parse(source)
    # In `from package import name` the name may be a module or an attribute: `_files_of` finds out.
    names = {f"{module}.{name}".rstrip(".") for module, name in imported}
    return frozenset(file for name in names for file in _files_of(name, root))


def _files_of(name: str, root: Path) -> list[Path]:
    """The files below `root` that `import name` runs: packages on the way and the module."""
    files, folder = [], root
    for part in name.split("."):
        folder = folder / part
        files += [file for file in (folder / "__init__.py", folder.with_suffix(".py")) if file.is_file()]
        if not folder.is_dir():  # a module, a name in it, or a package that is not ours
            break
    return files


@functools.cache
def _parse(source: str) -> _Parsed:
    """What a source imports, and a digest of its code without docstrings, comments and layout."""
    key = hashlib.sha256(source.encode()).hexdigest()
    _found[key] = _remembered.get(key) or _parse_anew(source)
    return _found[key]


def _parse_anew(source: str) -> _Parsed:
    tree = ast.parse(source)
    imported = sorted(_imports(tree))
    for node in _statements(tree):
        _drop_docstrings(node)
    return imported, hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements in a source, at any depth; `ast.walk` would also visit the many expressions in them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.stmt, ast.excepthandler, ast.match_case)):
            yield child
            yield from _statements(child)


def _imports(tree: ast.AST) -> set[tuple[str, str]]:
    """(module, name) for each name that a source imports; an empty name for the module itself."""
    names = set()
    for node in _statements(tree):
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
