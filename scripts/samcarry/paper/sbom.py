"""The software bill of materials, CycloneDX 1.6. Standard library only, for tools/write_sbom.py.

Equal files give equal bytes, so it has neither a time nor a serial number.
"""

import ast
import hashlib
import re
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\$", re.MULTILINE)


def bill_of_materials(root: Path) -> dict[str, Any]:
    """The packages that samcarry needs and the models that it includes.

    Args:
        root: the clone of the repository. Without its requirements.lock, the installed packages are listed.
    """
    code = (root / "scripts/samcarry/__init__.py").read_text(encoding="utf-8")
    version = ast.literal_eval(re.findall(r"^__version__ = (.+)$", code, re.MULTILINE)[0])
    direct = re.findall(r"^([\w.-]+)==(\S+)$", _text(root / "requirements.in"), re.MULTILINE)
    included = models(root)
    listed = packages(root) or installed()
    application = {"type": "application", "bom-ref": "samcarry", "name": "samcarry", "version": version}
    needed = sorted(purl(*pin) for pin in direct) + [model["bom-ref"] for model in included]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**application, "licenses": [{"license": {"id": "MIT"}}]}},
        "components": listed + included,
        "dependencies": [{"ref": "samcarry", "dependsOn": needed}],
    }


def purl(name: str, version: str) -> str:
    """The package URL of a package of PyPI, whose names count without case, and with '-' for '_' and '.'."""
    return f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{quote(version)}"


def packages(root: Path) -> list[dict[str, Any]]:
    """One component for each pin of requirements.lock; some are for certain machines only."""
    licences = dict(
        re.findall(r"^\| (\S+) \| \S+ \| (.+) \|$", _text(root / "docs/licences.md"), re.MULTILINE)
    )
    components = []
    for pin in _PIN.finditer(_text(root / "requirements.lock")):
        component = _library(pin["name"], pin["version"])
        if pin["name"].lower() in licences:
            component["licenses"] = [{"license": {"name": licences[pin["name"].lower()]}}]
        if pin["marker"]:
            component["properties"] = [{"name": "samcarry:only-if", "value": pin["marker"]}]
        components.append(component)
    return components


def installed() -> list[dict[str, Any]]:
    """One component for each installed package."""
    found = {(entry.name, entry.version) for entry in distributions() if entry.name != "samcarry"}
    return [_library(*pair) for pair in sorted(found)]


def models(root: Path) -> list[dict[str, Any]]:
    """One component for each included model, which has a model card beside it; not for a user's own ones."""
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": f"resources/{file.name}",
            "name": file.name,
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}],
        }
        for file in sorted((root / "resources").glob("*.safetensors"))
        if file.with_suffix(".md").is_file()
    ]


def _library(name: str, version: str) -> dict[str, Any]:
    reference = purl(name, version)
    return {"type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
