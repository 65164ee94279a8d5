"""What a script needs in its environment."""

import ast
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"


def modules_of(script: Path) -> set[str]:
    """Modules that a script imports, itself or through the library at any depth, wherever the import is."""
    waiting, seen, names = [script], set(), set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                found = [node.module or ""]
            for name in found:
                names.add(name)
                library = SCRIPTS / (name.replace(".", "/") + ".py")
                if name.startswith("samcarry.") and library not in seen:
                    waiting.append(library)
    return names
