"""The digest of a script's code: what it covers, and which edits rerun which rules."""

import shutil
import subprocess
import sys

import pytest

from samcarry.pipeline.code_digest import code_digest, imported_names, modules_of
from support.paths import SCRIPTS


@pytest.fixture
def script(tmp_path):
    package = tmp_path / "samcarry/sub"
    package.mkdir(parents=True)
    (tmp_path / "samcarry/__init__.py").write_text('"""Doc."""\n')
    (package / "__init__.py").write_text('"""Doc."""\nLIMIT = 1\n')
    (package / "first.py").write_text('"""Doc."""\nfrom samcarry.sub.second import f\n')
    (package / "second.py").write_text('C = 1\n"""Doc."""\ndef f():\n    """Doc."""\n    return 1\n')
    (package / "other.py").write_text("g = 1\n")
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage/clean.py").write_text("from samcarry.sub.first import f\n")
    return tmp_path / "stage/clean.py"


def digest(script):
    return code_digest(script, script.parents[1])


def after(script, name, old, new):
    file = script.parents[1] / "samcarry/sub" / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return digest(script)


def test_an_edit_of_an_indirect_import_changes_it(script):
    before = digest(script)
    assert after(script, "second.py", "return 1", "return 2") != before


def test_an_edit_of_a_package_on_the_way_changes_it(script):
    before = digest(script)
    assert after(script, "__init__.py", "LIMIT = 1", "LIMIT = 2") != before


def test_a_module_imported_from_its_package_counts(script):
    script.write_text("from samcarry.sub import other\n")
    before = digest(script)
    assert after(script, "other.py", "g = 1", "g = 2") != before


def test_a_module_imported_by_its_dotted_name_counts(script):
    script.write_text("import samcarry.sub.other\n")
    before = digest(script)
    assert after(script, "other.py", "g = 1", "g = 2") != before


def test_comments_docstrings_and_formatting_do_not_count(script):
    before = digest(script)
    assert after(script, "second.py", "return 1", "return  1  # one") == before
    assert after(script, "second.py", "Doc.", "Another.") == before
    assert after(script, "first.py", "Doc.", "Another.") == before


def test_modules_that_are_not_imported_do_not_count(script):
    before = digest(script)
    assert after(script, "other.py", "g = 1", "g = 2") == before


def test_the_template_of_a_module_counts_with_it(script):
    """An edited page would otherwise not be written again."""
    template = script.parents[1] / "samcarry/sub/second.html.jinja"
    template.write_text("<p>one</p>")
    before = digest(script)
    template.write_text("<p>two</p>")
    assert digest(script) != before


def test_the_files_in_a_folder_of_the_name_of_a_module_count_with_it(script):
    program = script.parents[1] / "samcarry/sub/second/program.js"
    program.parent.mkdir()
    program.write_text("one")
    before = digest(script)
    program.write_text("two")
    assert digest(script) != before


def test_the_template_of_another_module_does_not_count(script):
    before = digest(script)
    (script.parents[1] / "samcarry/sub/other.html.jinja").write_text("<p>one</p>")
    assert digest(script) == before


def test_every_file_of_the_package_counts_with_a_module():
    """Data that no digest covers could change a result without a rerun."""
    package = SCRIPTS / "samcarry"
    others = [path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert others
    for path in others:
        beside = path.with_name(path.name.split(".")[0] + ".py")
        assert beside.is_file() or path.parent.with_suffix(".py").is_file(), path


@pytest.mark.parametrize("page", ["report/write_report", "review/write_review"])
def test_the_pages_depend_on_their_templates(page):
    modules = modules_of(SCRIPTS / f"{page}.py", SCRIPTS)
    assert SCRIPTS / f"samcarry/{page.split('/')[0]}/page.py" in modules


CLEAN = SCRIPTS / "refine/clean.py"

TRAININGS = {
    "initial/train_network",
    "compare/train_mean_teacher",
    "beyond/train_fixmatch",
    "review/train_corrected",
    "nnunet/train_nnunet",
}
FIRST_STEPS = TRAININGS | {"compare/train_lraspp", "refine/embed", "prepare/prepare_images"}


@pytest.mark.parametrize(
    ("edited", "spared"),
    [
        ("networks/prediction", TRAININGS | {"refine/embed"}),  # inference
        ("baselines/lraspp_prediction", FIRST_STEPS),
        ("baselines/nnunet/prediction", FIRST_STEPS),
        ("sam/decoder", FIRST_STEPS),
        ("sam/refinement", FIRST_STEPS),
        ("sam/quality", FIRST_STEPS),
        ("storage/sheets", FIRST_STEPS),  # CSV files that people write
        ("prompting/cleaning", FIRST_STEPS),
        ("evaluation/summary", FIRST_STEPS | {"refine/refine", "initial/predict"}),
        ("images/colours", FIRST_STEPS | {"refine/refine", "initial/predict", "evaluate/evaluate"}),
        ("formats/cvat", FIRST_STEPS | {"refine/refine", "initial/predict", "evaluate/evaluate"}),
    ],
)
def test_an_edit_does_not_rerun_long_jobs_that_do_not_depend_on_it(tmp_path, edited, spared):
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    scripts = sorted((tmp_path / "scripts").glob("*/*.py"))
    module = tmp_path / f"scripts/samcarry/{edited}.py"
    scripts = [script for script in scripts if script.parent.name != "samcarry"]
    before = {script: code_digest(script, tmp_path / "scripts") for script in scripts}
    module.write_text(module.read_text() + "\n_EDITED = True\n")
    changed = {
        f"{script.parent.name}/{script.stem}"
        for script in scripts
        if code_digest(script, tmp_path / "scripts") != before[script]
    }
    assert changed, "no script uses the module"
    assert not changed & spared


def test_the_packages_of_a_script_count():
    names = {path.relative_to(SCRIPTS).as_posix() for path in modules_of(CLEAN, SCRIPTS)}
    assert {"job.py", "samcarry/__init__.py", "samcarry/prompting/cleaning.py"} <= names


def test_what_job_imports_on_demand_does_not_count():
    names = {path.relative_to(SCRIPTS).as_posix() for path in modules_of(CLEAN, SCRIPTS)}
    assert "samcarry/runtime/device.py" not in names
    assert "torch" not in imported_names(CLEAN, SCRIPTS)


def test_imported_names_are_modules():
    names = imported_names(CLEAN, SCRIPTS)
    assert {"job", "numpy", "samcarry.prompting.cleaning", "scipy"} <= names
    assert "samcarry.prompting.cleaning.clean" not in names


DIGEST = """
import ast, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from samcarry.pipeline.code_digest import code_digest, remember_sources
parsed, parse = [], ast.parse
ast.parse = lambda source: parsed.append(source) or parse(source)
remember_sources(Path(sys.argv[2]))
print(code_digest(Path(sys.argv[3]), Path(sys.argv[3]).parents[1]), len(parsed))
"""


@pytest.mark.parametrize(
    ("spoil", "parsed"),
    [(None, 0), ("", 5), ("{", 5), ("[]", 5), ('{"python": "2", "sources": {}}', 5)],
    ids=["intact", "empty", "cut", "something else", "another Python"],
)
def test_what_is_remembered_of_sources_saves_parsing_and_changes_no_digest(script, spoil, parsed):
    memory = script.with_name("code.json")

    def in_another_process():
        command = [sys.executable, "-c", DIGEST, str(SCRIPTS), str(memory), str(script)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    expected = digest(script)
    assert in_another_process() == [expected, "5"]
    if spoil is not None:
        memory.write_text(spoil)
    assert in_another_process() == [expected, str(parsed)]
    after(script, "second.py", "C = 1", "C = 2")
    assert in_another_process() == [digest(script), "1"]
    assert digest(script) != expected
