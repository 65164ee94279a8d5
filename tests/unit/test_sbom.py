"""The software bill of materials is CycloneDX, and lists all that the lock file pins."""

import hashlib
import json
import re

import write_sbom
from samcarry.paper import sbom
from support.paths import ROOT

BILL = write_sbom.bill_of_materials()
COMPONENTS = {component["bom-ref"]: component for component in BILL["components"]}


def test_it_has_the_required_fields_of_the_format():
    assert (BILL["bomFormat"], BILL["specVersion"], BILL["version"]) == ("CycloneDX", "1.6", 1)
    assert len(COMPONENTS) == len(BILL["components"])  # each bom-ref is unique
    for component in BILL["components"]:
        assert component["type"] in ("library", "machine-learning-model")
        assert component["name"]
        assert component["type"] != "library" or re.fullmatch(
            rf"pkg:pypi/[a-z0-9-]+@{re.escape(component['version'])}", component["purl"].replace("%2B", "+")
        )
    known = {*COMPONENTS, BILL["metadata"]["component"]["bom-ref"]}
    for entry in BILL["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= known
    json.dumps(BILL)


def test_it_lists_every_pin_of_the_lock_file():
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^([^\s#=]+)==([^\s;\\]+)", lock, re.MULTILINE)
    listed = [(c["name"], c["version"]) for c in BILL["components"] if c["type"] == "library"]
    assert len(pinned) > 150
    assert listed == pinned


def test_it_lists_the_included_models_by_their_content():
    files = sorted((ROOT / "resources").glob("*.safetensors"))
    assert len(files) >= 2
    for file in files:
        (digest,) = COMPONENTS[f"resources/{file.name}"]["hashes"]
        assert digest == {"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}


def test_a_users_own_model_is_not_listed(tmp_path):
    (tmp_path / "resources").mkdir()
    for name in ("tiny_sam.safetensors", "tiny_sam.md", "clinic of Mueller.safetensors"):
        (tmp_path / "resources" / name).write_text(name)
    assert [model["name"] for model in sbom.models(tmp_path)] == ["tiny_sam.safetensors"]
