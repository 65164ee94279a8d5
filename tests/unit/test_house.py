"""The house rules that a reviewer would otherwise have to check by eye."""

import re
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

from script_imports import modules_of

ROOT = Path(__file__).parents[2]
ENVS = sorted((ROOT / "envs").glob("*.yaml"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
RULE_FILES = sorted((ROOT / "workflow/rules").glob("*.smk"))


def locked():
    pins = re.findall(
        r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    return {(name.lower(), version) for name, version in pins}


def pip_pins(path):
    *_, pip = yaml.safe_load(path.read_text())["dependencies"]
    return [tuple(line.split(" ;")[0].lower().split("==")) for line in pip["pip"]]


def imports(path):
    """Top-level packages that a script imports, through the library at any depth."""
    return {name.split(".")[0] for name in modules_of(path)}


@pytest.mark.parametrize("path", ENVS, ids=lambda path: path.stem)
def test_pins_of_an_environment_equal_the_lock_files(path):
    assert set(pip_pins(path)) <= locked()


def test_no_package_index_is_named():
    for path in [ROOT / "requirements.lock", ROOT / "requirements.in", *ENVS]:
        assert not re.search(r"index-url|find-links|https?://", path.read_text())


def test_the_licence_of_every_locked_package_is_listed():
    page = (ROOT / "docs/licences.md").read_text()
    listed = set(re.findall(r"^\| (\S+) \| (\d\S*) \| .+ \|$", page, re.MULTILINE))
    installed = {
        (package.metadata["Name"].lower().replace("_", "-"), package.version) for package in distributions()
    }
    assert listed == installed & locked()


PACKAGE_OF = {
    "PIL": "pillow",
    "surface_distance": "surface-distance-based-measures",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "segment_anything": "segment-anything",
}


def script_environments():
    text = "".join(path.read_text() for path in RULE_FILES)
    pairs = re.findall(r'envs/(\w+)\.yaml".*?scripts/(\w+)\.py"', text, re.DOTALL)
    return sorted({(script, env) for env, script in pairs})


@pytest.mark.parametrize(("script", "env"), script_environments())
def test_the_environment_of_a_rule_has_all_that_its_script_imports(script, env):
    needed = imports(ROOT / f"scripts/{script}.py")
    packages = {PACKAGE_OF.get(name, name) for name in needed}
    known = {name for name, _ in locked()}
    assert (packages & known) - {"snakemake"} <= {name for name, _ in pip_pins(ROOT / f"envs/{env}.yaml")}


def test_every_script_of_a_rule_is_used_and_every_rule_has_its_script():
    used = {script for script, _ in script_environments()}
    assert used == {path.stem for path in SCRIPTS} - {"job", "mend_times", "train_tiny_sam"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_are_thin(path):
    if path.stem not in ("job", "train_tiny_sam"):
        assert len(path.read_text().splitlines()) <= 50


def test_the_library_knows_nothing_of_snakemake():
    for path in (ROOT / "scripts/samcarry").glob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.MULTILINE)


def test_rules_name_log_benchmark_environment_threads_and_resources():
    for path in RULE_FILES:
        for block in re.findall(
            r"^(?:rule|checkpoint) \w+:\n(?:(?:    .*)?\n)+", path.read_text(), re.MULTILINE
        ):
            for directive in ("output", "log", "benchmark", "conda", "threads", "resources", "script"):
                assert f"    {directive}:" in block, block
            for resource in ("mem_mb=", "runtime="):
                assert resource in block, block


def test_the_map_of_the_library_names_every_module_once():
    rooms = (ROOT / "CONTRIBUTING.md").read_text().split("## The rooms of the library")[1].split("\n## ")[0]
    named = re.findall(r"`(\w+)`", rooms.split("|---|---|")[1])
    modules = {path.stem for path in (ROOT / "scripts/samcarry").glob("*.py")} - {"__init__"}
    assert sorted(named) == sorted(modules)
