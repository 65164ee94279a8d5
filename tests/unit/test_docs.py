"""The documentation names code, files and pages that exist."""

import importlib
import re

import pytest

from support.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
KEYS = set(re.findall(r"^\| `([\w.]+)` ", (ROOT / "docs/config.md").read_text(), re.MULTILINE))
PACKAGES = {path.name for path in (ROOT / "scripts/samcarry").iterdir() if path.is_dir()}


def dotted_names():
    """(page, name) for every `package.module` or `package.module.function` in backticks."""
    for page in PAGES:
        if page.stem == "config":  # dotted names there are keys of the config
            continue
        for name in re.findall(r"`([a-z_]+(?:\.(?:\w+|\*))+)(?:\(.*?\))?`", page.read_text()):
            parts = name.split(".")
            module = ROOT.joinpath("scripts/samcarry", *parts[:2])
            if name in KEYS:
                continue
            if parts[0] in PACKAGES and (module.is_dir() or module.with_suffix(".py").is_file()):
                yield pytest.param(name, id=f"{page.stem}-{name}")


@pytest.mark.parametrize("name", list(dotted_names()))
def test_code_that_a_page_names_exists(name):
    *parts, last = name.removesuffix(".*").split(".")
    for split in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(["samcarry", *parts[:split]]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[split:]:
            found = getattr(found, attribute)
        assert hasattr(found, last) or importlib.import_module(f"{found.__name__}.{last}")
        return
    pytest.fail(f"there is no module {name}")


def paths():
    """(page, path) for every path of a file of the repository in backticks."""
    folders = "|".join(["scripts", "workflow", "tests", "tools", "benchmarks", "envs", "profiles", "docs"])
    for page in PAGES:
        if page.stem == "CHANGELOG":  # which names files that were moved
            continue
        for path in re.findall(rf"`((?:{folders})/[\w./-]+)`", page.read_text()):
            yield pytest.param(path, id=f"{page.stem}-{path}")


@pytest.mark.parametrize("path", list(paths()))
def test_a_file_that_a_page_names_exists(path):
    assert (ROOT / path).exists()


def anchor(heading):
    return re.sub(r"[^\w -]", "", re.sub(r"[`*]|\]\(.*?\)", "", heading).lower()).strip().replace(" ", "-")


def anchors(page):
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", page.read_text()):
        path, _, place = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if place and linked.suffix == ".md":
            assert place in anchors(linked), target


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
