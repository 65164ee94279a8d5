"""What the profiles and the page on clusters say of the rules is true of the rules."""

import re

import yaml

from support.paths import ROOT

RULES = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
PAGE = (ROOT / "docs/cluster.md").read_text()


def blocks():
    """The text of each rule that is not derived from another, by its name."""
    return dict(re.findall(r"^(?:rule|checkpoint) (\w+):\n((?:(?:    .*)?\n)+)", RULES, re.MULTILINE))


def asked(block):
    """(MB, MB with an official SAM, minutes, 'yes' for a GPU) of a rule."""
    memory = re.search(r"mem_mb=memory\((\d+)(?:, official_sam=(\d+))?\)", block)
    minutes = re.search(r"runtime=(\d+)", block)
    return (memory[1], memory[2] or memory[1], minutes[1], "yes" if "gpu=gpus" in block else "")


def test_every_rule_asks_for_twice_its_memory_on_the_second_try():
    for name, block in blocks().items():
        assert re.search(r"mem_mb=memory\(", block), f"{name}: mem_mb=memory(...), not a bare number"


def test_the_table_of_memory_is_that_of_the_rules():
    table = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[1].isdigit():
            table.update({name: tuple(cells[1:]) for name in re.findall(r"`(\w+)`", cells[0])})
    assert table == {name: asked(block) for name, block in blocks().items()}


def test_the_gres_profile_has_a_line_for_every_rule_with_a_gpu():
    with_gpu = {name for name, block in blocks().items() if "gpu=gpus" in block}
    pairs = re.findall(r"^use rule (\w+) as (\w+) with", RULES, re.MULTILINE)
    derived = {name for base, name in pairs if base in with_gpu}
    profile = yaml.safe_load((ROOT / "profiles/gres/config.yaml").read_text())
    assert set(profile["set-resources"]) == with_gpu | derived
    assert all(asked == {"gpu": 0, "gres": "gpu:1"} for asked in profile["set-resources"].values())


def test_no_network_follows_from_what_the_environment_of_plots_makes():
    drawn = set()
    for block in blocks().values():
        if "envs/plot.yaml" in block:
            drawn |= set(re.findall(r'/([^/"]+)",', block.split("    output:\n")[1].split("    log:\n")[0]))
    assert {"cases.png", "report.html"} <= drawn
    for name, block in blocks().items():
        if re.search(r"envs/(torch|tune|nnunet)\.yaml", block):
            inputs = block.split("    output:\n")[0]
            assert not [file for file in drawn if f"/{file}" in inputs], name
