"""Every command in the documentation is planned or parsed here, or marked as one that cannot be tested.

A fenced block without a language holds commands, one a line. `<!-- not tested: why -->` above it marks it.
"""

import os
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from snakemake.cli import get_argument_parser

from samcarry.cli import _parser, main
from support.paths import ROOT

FOLDERS = ("", "docs", "config", "benchmarks", "resources")
PAGES = sorted(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md"))
BLOCK = re.compile(
    r"^(?P<mark> *<!-- not tested: .+ -->\n)? *```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


def commands():
    """(page, words) of each command in a block without language and mark."""
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text()):
            if not block["mark"] and not block["language"]:
                for line in block["text"].replace("\\\n", " ").splitlines():
                    if words := shlex.split(line, comments=True):
                        yield page.stem, words


def of(program):
    """The different commands of a program, as parameters: the words behind its name."""
    found = {tuple(words[1:]): page for page, words in commands() if Path(words[0]).name == program}
    return [pytest.param(list(words), id=f"{page}-{shlex.join(words)}") for words, page in found.items()]


def in_sentences(program):
    """The different commands of a program that are named within texts and tables, as parameters."""
    found = {}
    for page in PAGES:
        if page.stem != "CHANGELOG":  # which names what has been removed
            text = BLOCK.sub("", page.read_text())
            found |= dict.fromkeys(re.findall(rf"`(?:\.venv/bin/)?{program} ([^`]+)`", text), page.stem)
    return [pytest.param(words.split(), id=f"{page}-{words}") for words, page in found.items()]


def test_every_command_is_tested_below_or_marked():
    programs = ("snakemake", "samcarry", ".venv/bin/samcarry", "make")
    activate = [".", ".venv/bin/activate"]
    assert not [found for found in commands() if found[1][0] not in programs and found[1] != activate]


TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("words", [*of("make"), *in_sentences("make")])
def test_make_has_the_target(words):
    assert words[0] in TARGETS


@pytest.mark.parametrize("words", of("samcarry"))
def test_samcarry_accepts_the_arguments(words):
    assert _parser().parse_args(words)


def options_of(parser):
    return {option for action in parser._actions for option in action.option_strings}


@pytest.mark.parametrize("words", in_sentences("samcarry"))
def test_samcarry_has_the_command_and_its_options(words):
    [commands] = [action.choices for action in _parser()._actions if action.dest == "command"]
    assert {word for word in words[1:] if word.startswith("--")} <= options_of(commands[words[0]])


@pytest.mark.parametrize("words", in_sentences("snakemake"))
def test_snakemake_has_the_options(words):
    assert {word for word in words if word.startswith("--")} <= options_of(get_argument_parser())


def documented_plans():
    """The config files of commands and all of their targets, so that few plans have to be made."""
    plans = defaultdict(set)
    for parameter in of("snakemake"):
        options = get_argument_parser().parse_args(parameter.values[0])
        plans[tuple(map(str, options.configfile or ()))].update(options.targets)
    return [pytest.param(*plan, id=" ".join(plan[0]) or "demo") for plan in plans.items()]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder with the configs and the data set `mine`; its config is written and checked as documented."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "config").mkdir()
    for config in (ROOT / "config").glob("*.yaml"):
        (folder / "config" / config.name).symlink_to(config)
    (folder / "resources").mkdir()
    (folder / "resources/medsam_vit_b.pth").touch()  # which no run fetches
    rows = np.arange(64)[:, None] + np.zeros((64, 64))
    for number in range(30):
        case = f"P{number:02}"
        noise = np.random.default_rng(number).integers(0, 200, (64, 64))
        files = {f"images/{case}.png": noise}
        if number < 24:
            files |= {
                f"labels/{case}/top.png": 255 * (rows < 20),
                f"labels/{case}/low.png": 255 * (rows > 50),
            }
        for name, pixels in files.items():
            path = folder / "data/mine" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["init", "data/mine"]) == 0
        assert main(["check", "--configfile", "config/mine.yaml"]) == 0
    return folder


@pytest.mark.parametrize(("configs", "targets"), documented_plans())
def test_snakemake_plans_the_targets(elsewhere, configs, targets):
    options = ["-s", str(ROOT / "Snakefile"), "-n", *sorted(targets), "--cores", "8", "--resources", "gpu=1"]
    if configs:
        options += ["--configfile", *configs]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    outcome = subprocess.run(
        [sys.executable, "-m", "snakemake", *options],
        cwd=elsewhere,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert outcome.returncode == 0, outcome.stdout
