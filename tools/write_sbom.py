"""Write sbom.cdx.json: the packages of requirements.lock and the models in resources/, as CycloneDX 1.6.

    python3 tools/write_sbom.py

Equal files give equal bytes, so it has neither a time nor a serial number.
"""

import ast
import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\$", re.MULTILINE)


def purl(name: str, version: str) -> str:
    """The package URL of a package of PyPI, whose names count without case, and with '-' for '_' and '.'."""
    return f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{quote(version)}"


def packages() -> list[dict[str, Any]]:
    """One component for each pin of requirements.lock; some are for certain machines only."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    licences = dict(
        re.findall(
            r"^\| (\S+) \| \S+ \| (.+) \|$",
            (ROOT / "docs/licences.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    components = []
    for pin in _PIN.finditer(lock):
        name, version, marker = pin["name"], pin["version"], pin["marker"]
        reference = purl(name, version)
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": reference,
            "name": name,
            "version": version,
            "purl": reference,
        }
        if name.lower() in licences:
            component["licenses"] = [{"license": {"name": licences[name.lower()]}}]
        if marker:
            component["properties"] = [{"name": "samcarry:only-if", "value": marker}]
        components.append(component)
    return components


def models() -> list[dict[str, Any]]:
    """One component for each model in resources/."""
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": f"resources/{file.name}",
            "name": file.name,
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}],
        }
        for file in sorted((ROOT / "resources").glob("*.safetensors"))
    ]


def bill_of_materials() -> dict[str, Any]:
    """The whole document."""
    code = (ROOT / "scripts/samcarry/__init__.py").read_text(encoding="utf-8")
    version = ast.literal_eval(re.findall(r"^__version__ = (.+)$", code, re.MULTILINE)[0])
    direct = re.findall(
        r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE
    )
    included = models()
    root = {"type": "application", "bom-ref": "samcarry", "name": "samcarry", "version": version}
    needed = sorted(purl(*pin) for pin in direct) + [model["bom-ref"] for model in included]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**root, "licenses": [{"license": {"id": "MIT"}}]}},
        "components": packages() + included,
        "dependencies": [{"ref": "samcarry", "dependsOn": needed}],
    }


if __name__ == "__main__":
    text = json.dumps(bill_of_materials(), indent=1, ensure_ascii=False)
    (ROOT / "sbom.cdx.json").write_text(text + "\n", encoding="utf-8")
