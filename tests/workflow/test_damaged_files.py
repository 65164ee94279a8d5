"""Every kind of file that rules hand to each other: a changed one is noticed, and its message names it."""

import json
import os
import random
import re
import shutil
from pathlib import Path

import pytest

import reference_tables
from samcarry.errors import DamagedError
from samcarry.pipeline.ledger import DATA_SETS, check_input
from samcarry.storage.checksums import FOLDER, check_folder
from samcarry.storage.files import write_text
from support.damages import damage
from support.job_frame import run_job
from support.paths import ROOT

RESULTS = "results/demo"
DAMAGES = ("cut", "bit", "digit", "of another case", "older", "of another run")
DECLARED = sorted(
    {
        output.removeprefix("results/{dataset}/")
        for stage in reference_tables.STAGES
        for _, _, outputs in reference_tables.rules_of(ROOT / f"workflow/rules/{stage}.smk")
        for output in outputs
    }
)
CHANGED_BY_PEOPLE = ("review/task-{task}/annotations.xml", "review/task-{task}/images.zip")
UNDECLARED = {
    "logs/.+": "written by the logger of a job; only people read them",
    "benchmarks/.+": "without a checksum; the report leaves a cut one out",
    f"{FOLDER}/.+": "the checksums themselves",
    f"({'|'.join(DATA_SETS)})/.+": "listed in the checksums of the folder",
    r"n\d+/nnunet/preprocessed/.+": "listed in the checksums of the folder",
    r"n\d+/nnunet/raw/.+": "read by the rule that wrote them only, in the same job",
    r"n\d+/tuned/\w+\.journal": "each line has a digest",
    r"first/embeddings/\w+\.state": "begins with a digest",
    r".+/export/.+": "for other programs; no rule reads them",
}


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def pattern_of(output):
    """A regular expression for the files of a declared output."""
    parts = re.split(r"(\{\w+\})", output)
    texts = {"{chain}": "(?:[^/]+/)?"}
    return "".join(texts.get(part, "[^/]+" if part[:1] == "{" else re.escape(part)) for part in parts)


def example_of(output):
    """A path that a declared output can have."""
    values = {"shard": "test-0000", "n": "3", "seed": "0", "subset": "n3", "chain": "zoom/", "task": "1"}
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[1]), output)


def damaged(content, kind, chance, others):
    """Content that is damaged, or taken from another file."""
    return others[kind] if kind in others else damage(content, kind, chance)


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("output", sorted({*DECLARED} - {*CHANGED_BY_PEOPLE}))
def test_a_job_refuses_an_input_of_any_declared_kind_that_was_changed(tmp_path, monkeypatch, output, kind):
    """The frame of the job that writes it, and of one that reads it; the content does not matter here."""
    monkeypatch.chdir(tmp_path)
    path, other = f"{RESULTS}/{example_of(output)}", f"{RESULTS}/other/{example_of(output)}"

    def write(version):
        write_text(path, f"case,dice\na,0.{version}\n")
        write_text(other, f"case,dice\nb,0.{version}\n")

    assert run_job([], [path, other], lambda: write(1)) == []
    older = Path(path).read_bytes()
    assert run_job([path], [f"{RESULTS}/next.csv"], lambda: write_text(f"{RESULTS}/next.csv", "x")) == []
    assert run_job([], [path, other], lambda: write(2)) == []
    content = Path(path).read_bytes()
    others = {"of another case": Path(other).read_bytes(), "older": older, "of another run": b"another"}
    times = Path(path).stat()
    Path(path).write_bytes(damaged(content, kind, random.Random(path), others))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    [line] = run_job([path], [f"{RESULTS}/next.csv"], lambda: pytest.fail("the job has started"))
    # What is beside the cases.csv of an imported data set is imported again with it.
    beside = ("annotated/readers.csv", "annotated/left_out.csv", "imported/left_out.csv")
    cure = "Run `snakemake" if output in beside else "Delete this file and run"
    assert line.startswith(f"{path}: its content has changed since it was written. {cure}")


@pytest.mark.parametrize("project", ["finished", "compared", "reviewed"])
def test_every_file_of_a_run_is_of_a_known_kind_and_has_a_checksum(request, project, monkeypatch):
    """A rule that writes a new kind of file beside its outputs fails here."""
    monkeypatch.chdir(request.getfixturevalue(project).folder)
    known = [re.compile(pattern) for pattern in map(pattern_of, DECLARED)]
    unknown = []
    for path in sorted(Path(RESULTS).rglob("*")):
        name = path.relative_to(RESULTS).as_posix()
        if path.is_dir():
            continue
        if any(pattern.fullmatch(name) for pattern in known):
            check_input(path, RESULTS)
        elif not any(re.fullmatch(pattern, name) for pattern in UNDECLARED):
            unknown.append(name)
    assert unknown == []
    for folder in Path(RESULTS).glob("n*/nnunet/preprocessed"):
        check_folder(folder, RESULTS)


@pytest.mark.parametrize("project", ["compared", "reviewed"])
def test_any_change_of_any_file_that_rules_hand_on_is_noticed(
    request, project, finished, tmp_path, monkeypatch
):
    """Real files, with their times kept, so that Snakemake alone would not look at them."""
    origin = request.getfixturevalue(project).folder
    shutil.copytree(origin / RESULTS, tmp_path / RESULTS)
    monkeypatch.chdir(tmp_path)
    chance = random.Random(0)
    handed_on = inputs_in(origin)
    assert len(handed_on) > 20
    for paths in by_kind(handed_on).values():
        for kind in DAMAGES:
            path = chance.choice(paths)
            content = Path(path).read_bytes()
            other = next((Path(other).read_bytes() for other in paths if other != path), b"another case")
            run = finished.folder / path
            others = {
                "of another case": other,
                "older": content.replace(b"0", b"1"),
                "of another run": run.read_bytes() if run.exists() else b"another run",
            }
            changed = damaged(content, kind, chance, others)
            if changed == content:
                continue  # two runs gave the same file
            times = Path(path).stat()
            Path(path).write_bytes(changed)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            with pytest.raises(DamagedError, match=re.escape(path)):
                check_input(path, RESULTS)
            Path(path).write_bytes(content)
            check_input(path, RESULTS)


def inputs_in(folder):
    """The files of the results that were an input of a job, as Snakemake has recorded them."""
    records = [path for path in (folder / ".snakemake/metadata").rglob("*") if path.is_file()]
    inputs = {path for record in records for path in json.loads(record.read_text())["input"]}
    return sorted(path for path in inputs if path.startswith(f"{RESULTS}/"))


def by_kind(paths):
    """{kind: paths}, by the outputs that rules declare, and by the folders of data sets."""
    kinds = {}
    for path in paths:
        name = path.removeprefix(f"{RESULTS}/")
        kind = next((output for output in DECLARED if re.fullmatch(pattern_of(output), name)), None)
        assert kind or name.split("/")[0] in DATA_SETS, f"{path} is an input, but no rule declares it"
        assert kind not in CHANGED_BY_PEOPLE, f"{path} is an input, but a person may change it"
        kinds.setdefault(kind or "/".join(name.split("/")[:2]), []).append(path)
    return kinds
