"""What Snakemake finds once for a plan is what it would find again each time."""

import atexit
import gc
import inspect
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import snakemake.common
from snakemake.common import overwrite_function_params
from snakemake.io import IOFile
from snakemake.iocontainers import InputFiles
from snakemake.output_index import OutputIndex

from samcarry.pipeline.planning import plan_faster


@pytest.fixture
def planner(monkeypatch):
    """Copies of what `plan_faster` changes, which the other tests use as it is."""
    monkeypatch.setattr(gc, "set_threshold", lambda *thresholds: None)
    monkeypatch.setattr(atexit, "register", lambda function: None)
    common = SimpleNamespace(get_function_params=snakemake.common.get_function_params)
    copies = {
        "common": common,
        "rules": SimpleNamespace(get_function_params=common.get_function_params),
        "output_index": type("Index", (OutputIndex,), {}),
        "input_files": type("Inputs", (InputFiles,), {}),
    }
    plan_faster(**copies)
    return SimpleNamespace(**copies)


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


def test_planning_again_in_the_same_process_changes_nothing_more(planner):
    before = dict(vars(planner.output_index)), planner.rules.get_function_params
    plan_faster(**vars(planner))
    assert (dict(vars(planner.output_index)), planner.rules.get_function_params) == before
