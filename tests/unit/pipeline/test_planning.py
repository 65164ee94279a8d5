"""What Snakemake finds once for a plan is what it would find again each time."""

import atexit
import gc
import inspect
import re
import subprocess
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import snakemake.common
import snakemake.io
from snakemake.common import overwrite_function_params
from snakemake.io import AnnotatedString, IOFile, directory, temp
from snakemake.iocontainers import InputFiles
from snakemake.output_index import OutputIndex

from samcarry.pipeline.planning import plan_faster
from support.paths import SCRIPTS


@pytest.fixture
def modules(monkeypatch):
    """Copies of what `plan_faster` changes, which the other tests use as it is."""
    for name in ("set_threshold", "freeze", "disable"):
        monkeypatch.setattr(gc, name, lambda *arguments: None)
    monkeypatch.setattr(atexit, "register", lambda function: None)
    common, io = snakemake.common, snakemake.io
    return {
        "snakemake.common": SimpleNamespace(
            get_function_params=common.get_function_params, parse_uri=common.parse_uri
        ),
        "snakemake.rules": SimpleNamespace(
            get_function_params=common.get_function_params, is_flagged=io.is_flagged
        ),
        "snakemake.sourcecache": SimpleNamespace(parse_uri=common.parse_uri),
        "snakemake.io": SimpleNamespace(is_flagged=io.is_flagged, AnnotatedString=AnnotatedString),
        "snakemake.output_index": SimpleNamespace(OutputIndex=type("Index", (OutputIndex,), {})),
        "snakemake.iocontainers": SimpleNamespace(InputFiles=type("Inputs", (InputFiles,), {})),
    }


@pytest.fixture
def planner(modules):
    plan_faster(modules, dry_run=False)
    return SimpleNamespace(
        common=modules["snakemake.common"],
        rules=modules["snakemake.rules"],
        sourcecache=modules["snakemake.sourcecache"],
        output_index=modules["snakemake.output_index"].OutputIndex,
        input_files=modules["snakemake.iocontainers"].InputFiles,
    )


@dataclass(frozen=True)
class Rule:
    """What the index asks a rule, which notes the files that it is asked for."""

    name: str
    outputs: tuple[str, ...]
    asked: list[str] = field(default_factory=list, compare=False)

    def products(self):
        return [IOFile(output) for output in self.outputs]

    def is_producer(self, file):
        self.asked.append(str(file))
        return any(product.match(file) for product in self.products())


def test_functions_have_the_parameters_that_they_have_without_it(planner):
    def with_attempt(wildcards, attempt):
        return attempt

    def forwarded(*arguments):
        return arguments

    overwrite_function_params(forwarded, ["wildcards", "input"])
    for function in (with_attempt, forwarded, lambda wildcards: wildcards):
        without = snakemake.common.get_function_params(function)
        assert planner.rules.get_function_params(function) == without
        assert planner.common.get_function_params(function) == without
    assert list(planner.rules.get_function_params(with_attempt)) == ["wildcards", "attempt"]


def test_the_parameters_of_a_function_are_found_once(planner, monkeypatch):
    asked = []
    signature = inspect.signature
    monkeypatch.setattr(inspect, "signature", lambda function: asked.append(function) or signature(function))

    def of_each_job(wildcards):
        return wildcards

    for _ in range(3):
        planner.rules.get_function_params(of_each_job)
    assert asked == [of_each_job]


def test_the_rules_that_make_a_file_are_found_once_and_are_the_same(planner):
    clean = Rule("clean", ("results/{case}/masks.nii", "results/{case}/prompts.json"))
    rules = [clean, Rule("any", ("results/{case}/{file}.json",))]
    index, without = planner.output_index(rules), OutputIndex(rules)
    for file in ("results/a/masks.nii", "results/a/prompts.json", "results/b/prompts.json", "images/a.png"):
        expected = without.match_producers(file)
        clean.asked.clear()
        for _ in range(3):
            assert index.match_producers(IOFile(file)) == expected
        assert clean.asked == ([file] if clean in expected else [])
    assert not planner.output_index([]).match_producers("results/a/masks.nii")  # each has its own rules


@pytest.mark.parametrize("count", [3, 300])
def test_a_file_among_the_inputs_of_a_job_is_found(planner, count):
    inputs = planner.input_files([IOFile(f"images/{number}.png") for number in range(count)])
    last = f"images/{count - 1}.png"
    for asked in (last, IOFile(last), IOFile(IOFile(last))):
        assert asked in inputs
    assert "images/new.png" not in inputs
    inputs.append(IOFile("images/new.png"))
    assert "images/new.png" in inputs


def test_looking_for_files_among_many_inputs_does_not_look_at_each(planner):
    compared = []

    class Name(str):
        """A name that notes each comparison with another one."""

        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other):
            compared.append(other)
            return str.__eq__(self, other)

    many = [Name(f"images/{number}.png") for number in range(5000)]
    others = [Name(f"results/{number}.png") for number in range(20)]
    counts = {}
    for kind in (InputFiles, planner.input_files):
        inputs = kind(many)
        compared.clear()
        assert not any(other in inputs for other in others)
        counts[kind] = len(compared)
    assert counts[InputFiles] == 20 * 5000
    assert counts[planner.input_files] < 20


def contents_of(modules):
    """Every name in modules and in their classes, with what it stands for."""
    spaces = [*modules.values(), modules["snakemake.iocontainers"].InputFiles]
    spaces += [space.OutputIndex for space in modules.values() if hasattr(space, "OutputIndex")]
    return [dict(vars(space)) for space in spaces]


def test_planning_again_in_the_same_process_changes_nothing_more(planner, modules):
    before = contents_of(modules)
    plan_faster(modules, dry_run=False)
    assert contents_of(modules) == before


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("common", "get_function_params"),
        ("common", "parse_uri"),
        ("io", "is_flagged"),
        ("io", "AnnotatedString"),
        ("output_index", "OutputIndex"),
    ],
)
def test_a_snakemake_without_a_name_that_is_changed_stays_as_it_is(modules, module, name):
    delattr(modules[f"snakemake.{module}"], name)
    before = [dict(vars(space)) for space in modules.values()]
    plan_faster(modules, dry_run=False)
    assert [dict(vars(space)) for space in modules.values()] == before
    assert "__contains__" not in vars(modules["snakemake.iocontainers"].InputFiles)


@pytest.mark.parametrize("name", ["match", "match_producers"])
def test_a_snakemake_whose_index_of_rules_is_another_one_stays_as_it_is(modules, name):
    names = {"match", "match_producers"} - {name}
    modules["snakemake.output_index"].OutputIndex = type("Index", (), dict.fromkeys(names, len))
    before = contents_of(modules)
    plan_faster(modules, dry_run=False)
    assert contents_of(modules) == before


@pytest.mark.parametrize("module", ["common", "io", "output_index", "iocontainers"])
def test_a_snakemake_without_a_module_that_is_changed_stays_as_it_is(modules, module):
    del modules[f"snakemake.{module}"]
    before = [dict(vars(space)) for space in modules.values()]
    plan_faster(modules, dry_run=False)
    assert [dict(vars(space)) for space in modules.values()] == before


@pytest.mark.parametrize("dry_run", [True, False])
def test_python_stops_looking_for_garbage_only_where_the_process_ends_after_the_plan(
    modules, monkeypatch, dry_run
):
    stopped = []
    monkeypatch.setattr(gc, "disable", lambda: stopped.append(True))
    plan_faster(modules, dry_run=dry_run)
    assert bool(stopped) == dry_run


def test_files_have_the_flags_that_they_have_without_it(planner):
    values = ["a.txt", temp("a.txt"), directory("a"), AnnotatedString("a.txt"), len, 3]
    unset = temp("a.txt")
    unset.flags["temp"] = False
    values += [unset, *(IOFile(value) for value in values[:4])]
    found = [[planner.rules.is_flagged(value, flag) for flag in ("temp", "directory")] for value in values]
    expected = [[snakemake.io.is_flagged(value, flag) for flag in ("temp", "directory")] for value in values]
    assert found == expected
    assert [True, False] in found
    assert [False, True] in found


def test_the_path_of_a_script_is_split_once_and_in_the_same_way(planner):
    for path in ("/a b/scripts/clean.py", "scripts/clean.py", "file:///a/clean.py"):
        without, found = snakemake.common.parse_uri(path), planner.sourcecache.parse_uri(path)
        assert (found.scheme, found.uri_path) == (without.scheme, without.uri_path)
        assert planner.sourcecache.parse_uri(path) is found


def test_the_rules_that_a_file_starts_and_ends_like_are_the_same(planner):
    rules = [
        Rule("clean", ("results/{case}/masks.nii", "results/{case}/prompts.json")),
        Rule("any", ("results/{case}/{file}.json",)),
        Rule("one", ("results/report.html",)),
        Rule("all", ("{anything}",)),
        Rule("short", ("results/{x}s.nii", "log/{x}")),
    ]
    files = [
        "results/a/masks.nii",
        "results/b/prompts.json",
        "results/report.html",
        "results/s.nii",
        "log/",
        "a",
        "",
    ]
    for chosen in (rules, rules[:3], []):
        index, without = planner.output_index(chosen), OutputIndex(chosen)
        for file in files if chosen else []:
            assert index.match(file) == without.match(file), file
            assert index.match_producers(file) == without.match_producers(file), file


WORKFLOW = """
import sys
sys.path.insert(0, {scripts!r})
from samcarry.pipeline.planning import plan_faster
if config["faster"]:
    plan_faster(sys.modules, dry_run=workflow.output_settings.dryrun)

SHARDS = [f"s{{number}}" for number in range(3)]

def listed(wildcards):
    cases = open(checkpoints.list_cases.get().output[0]).read().split()
    return [f"made/{{shard}}/mask.txt" for shard in cases]

rule all:
    input: "made/table.txt", "made/report"

checkpoint list_cases:
    output: "made/cases.txt"
    run: open(output[0], "w").write(" ".join(SHARDS))

rule prepare:
    input: lambda wildcards: [f"data/{{wildcards.shard}}-{{number}}.txt" for number in range(20)]
    output: image="made/{{shard}}/image.txt", size="made/{{shard}}/size.txt"
    params: size=config["size"]
    run:
        for path in output: open(path, "w").write(str(params.size))

rule mask:
    input: "made/{{shard}}/image.txt", "made/{{shard}}/size.txt"
    output: "made/{{shard}}/mask.txt"
    params: shard=lambda wildcards: wildcards.shard, of=lambda wildcards, input: len(input)
    run: open(output[0], "w").write(params.shard)

rule collect:
    input: listed
    output: "made/table.txt"
    run: open(output[0], "w").write(str(len(input)))

rule report:
    input: "made/table.txt"
    output: directory("made/report")
    run:
        os.makedirs(output[0], exist_ok=True)
        open(output[0] + "/index.html", "w").write("a")
"""


def planned_jobs(output):
    """The jobs in a dry run's output, sorted: rule, files, reason, wildcards and resources."""
    jobs = re.findall(r"^(?:local)?(?:rule|checkpoint) \w+:\n(?: +.*\n)+", output, re.MULTILINE)
    jobs = [re.sub(r" +jobid: \d+\n", "", job) for job in jobs]
    # The files in a reason have no order.
    return sorted(
        re.sub("reason: .*", lambda found: str(sorted(re.split("[ ,;]+", found[0]))), job) for job in jobs
    )


def test_a_plan_is_the_same_job_by_job_with_its_reasons(tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW.format(scripts=str(SCRIPTS)))
    names = [f"data/s{shard}-{number}.txt" for shard in range(3) for number in range(20)]
    names += [f"made/s{shard}/{kind}.txt" for shard in range(3) for kind in ("image", "size", "mask")]
    for name in [*names, "made/table.txt", "made/report/index.html"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a")
    (tmp_path / "made/cases.txt").write_text("s0 s1 s2")

    def snakemake_says(*arguments, faster=True, size=1):
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        command += ["--config", f"faster={int(faster)}", f"size={size}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def plan(**config):
        with_answers_kept, without = (
            planned_jobs(snakemake_says("-n", faster=on, **config)) for on in (1, 0)
        )
        assert with_answers_kept == without
        return "\n".join(without)

    snakemake_says("--touch", "--forceall")
    assert "Nothing to be done" in snakemake_says("-n")
    (tmp_path / "data/s1-4.txt").write_text("b")
    (tmp_path / "made/table.txt").unlink()
    planned = plan()
    for reason in ("['Updated', 'data/s1-4.txt', 'files:', 'input', 'reason:']", "'Missing'"):
        assert reason in planned
    assert planned.count("rule prepare:") == 1
    assert plan(size=2).count("'Params'") == 2
