"""The profiles and docs/cluster.md agree with the rules."""

import re

import yaml

from support.paths import ROOT

RULES = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
PAGE = (ROOT / "docs/cluster.md").read_text()


def blocks():
    """The text of each rule by name, without rules derived from others."""
    return dict(re.findall(r"^(?:rule|checkpoint) (\w+):\n((?:(?:    .*)?\n)+)", RULES, re.MULTILINE))


def requested(block):
    """(MB, MB with an official SAM, minutes, 'yes' for a GPU) that a rule requests."""
    memory = re.search(r"mem_mb=memory\((\d+)(?:, official_sam=(\d+))?\)", block)
    minutes = re.search(r"runtime=(\d+)", block)
    return (memory[1], memory[2] or memory[1], minutes[1], "yes" if "gpu=gpus" in block else "")


def test_every_rule_requests_its_memory_by_a_function_that_doubles_it_on_a_retry():
    for name, block in blocks().items():
        assert re.search(r"mem_mb=memory\(", block), f"{name}: use mem_mb=memory(...) instead of a number"


def test_the_table_of_resources_agrees_with_the_rules():
    table = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[1].isdigit():
            table.update({name: tuple(cells[1:]) for name in re.findall(r"`(\w+)`", cells[0])})
    assert table == {name: requested(block) for name, block in blocks().items()}


def test_the_slurm_profile_passes_all_ready_jobs_on_in_one_portion():
    # Of several portions of a rule, the plugin holds all back but the last, without an end.
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    most, _, _ = profile["max-jobs-per-timespan"].partition("/")
    assert int(most) >= profile["jobs"]


def test_the_gres_profile_lists_every_rule_with_a_gpu():
    with_gpu = {name for name, block in blocks().items() if "gpu=gpus" in block}
    pairs = re.findall(r"^use rule (\w+) as (\w+) with", RULES, re.MULTILINE)
    derived = {name for base, name in pairs if base in with_gpu}
    profile = yaml.safe_load((ROOT / "profiles/gres/config.yaml").read_text())
    assert set(profile["set-resources"]) == with_gpu | derived
    assert all(resources == {"gpu": 0, "gres": "gpu:1"} for resources in profile["set-resources"].values())


def test_no_network_depends_on_files_made_in_the_plot_environment():
    drawn = set()
    for block in blocks().values():
        if "envs/plot.yaml" in block:
            drawn |= set(re.findall(r'/([^/"]+)",', block.split("    output:\n")[1].split("    log:\n")[0]))
    assert {"cases.png", "report.html"} <= drawn
    for name, block in blocks().items():
        if re.search(r"envs/(torch|tune|nnunet)\.yaml", block):
            inputs = block.split("    output:\n")[0]
            assert not [file for file in drawn if f"/{file}" in inputs], name
