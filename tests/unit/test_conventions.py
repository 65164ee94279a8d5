"""Conventions of the repository that a reviewer would otherwise have to check by eye."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distributions

import pytest
import yaml

from samcarry.pipeline.code_digest import imported_names
from support.paths import ROOT

ENVS = sorted((ROOT / "envs").glob("*.yaml"))
SCRIPTS = sorted(p for p in (ROOT / "scripts").glob("*/*.py") if p.parent.name != "samcarry")
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
    return {name.split(".")[0] for name in imported_names(path, ROOT / "scripts")}


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
    pairs = re.findall(r'envs/(\w+)\.yaml".*?scripts/(\w+/\w+)\.py"', text, re.DOTALL)
    return sorted({(script, env) for env, script in pairs})


@pytest.mark.parametrize(("script", "env"), script_environments())
def test_the_environment_of_a_rule_has_all_that_its_script_imports(script, env):
    needed = imports(ROOT / f"scripts/{script}.py")
    packages = {PACKAGE_OF.get(name, name) for name in needed}
    known = {name for name, _ in locked()}
    assert (packages & known) - {"snakemake"} <= {name for name, _ in pip_pins(ROOT / f"envs/{env}.yaml")}


def test_every_script_is_used_by_a_rule_of_the_file_that_its_folder_is_named_after():
    used = {script for script, _ in script_environments()}
    assert used == {f"{path.parent.name}/{path.stem}" for path in SCRIPTS}
    for path in RULE_FILES:
        own = set(re.findall(r'scripts/(\w+)/\w+\.py"', path.read_text()))
        assert own <= {path.stem, "initial", "refine"}, path


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_are_thin(path):
    assert len(path.read_text().splitlines()) <= 50


def test_the_library_knows_nothing_of_snakemake():
    for path in (ROOT / "scripts/samcarry").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) snakemake", path.read_text(), re.MULTILINE)


def test_rules_name_log_environment_threads_and_resources():
    for path in RULE_FILES:
        for block in re.findall(
            r"^(?:rule|checkpoint) \w+:\n(?:(?:    .*)?\n)+", path.read_text(), re.MULTILINE
        ):
            for directive in ("output", "log", "conda", "threads", "resources", "script"):
                assert f"    {directive}:" in block, block
            for resource in ("mem_mb=", "runtime="):
                assert resource in block, block


def test_no_test_module_imports_another():
    for path in (ROOT / "tests").rglob("test_*.py"):
        assert not re.search(r"^\s*(from|import) test_", path.read_text(), re.MULTILINE), path


def test_unit_tests_mirror_the_library():
    library = ROOT / "scripts/samcarry"
    for path in (ROOT / "tests/unit").rglob("test_*.py"):
        assert (library / path.parent.relative_to(ROOT / "tests/unit")).is_dir(), path


def test_what_the_snakefile_imports_of_the_library_is_light():
    """Every job process loads the Snakefile again. Snakemake's own imports do not count."""
    files = sorted((ROOT / "workflow").rglob("*.smk"))
    nodes = [ast.parse(block) for path in files for block in library_imports(path.read_text())]
    assert nodes
    code = "\n".join(map(ast.unparse, nodes)) + "\nimport sys; print(*sys.modules)"
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.split(".")[0] for name in outcome.stdout.split()}
    assert not loaded & {"numpy", "PIL", "pydicom", "torch", "pandas", "matplotlib"}


def library_imports(text):
    """The statements of a rule file that import the library."""
    return re.findall(r"^from samcarry[^\n(]*(?:\([^)]*\)|[^\n(]+)$", text, re.MULTILINE)


def test_an_installation_exports_the_package_and_nothing_else(tmp_path):
    source = tmp_path / "source"
    (source / "scripts").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "scripts", source / "scripts", dirs_exist_ok=True, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*pip, str(source)], check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"samcarry"}
    assert {"samcarry/report/page.html.jinja", "samcarry/sam/tiny/model.py"} <= set(names)
