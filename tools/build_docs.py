"""Build the documentation as a site in .docs/site; a broken link fails.

    .venv-docs/bin/python tools/build_docs.py

The pages are the Markdown files of the repository: .docs/pages has the same layout, so that the links between
them hold on the site and on GitHub. Only the pages of the Python packages, in api/, are written here.
"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import samcarry

PAGES = ROOT / ".docs/pages"
LIBRARY = ROOT / "scripts/samcarry"
# What the site shows, and files that its pages link to.
SOURCES = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md"),
    *("LICENSE", "CITATION.cff", "docs", "config/README.md", "benchmarks/README.md"),
    *("resources/small_sam.md", "resources/tiny_sam.md"),
]


def collect_pages() -> None:
    """Put links to all sources, and the pages of the packages, into an empty .docs/pages."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for source in SOURCES:
        page = PAGES / source
        page.parent.mkdir(parents=True, exist_ok=True)
        page.symlink_to(ROOT / source)
    (PAGES / "api").mkdir()
    packages = sorted(path.parent for path in LIBRARY.glob("*/__init__.py"))
    for package in packages:
        (PAGES / f"api/{package.name}.md").write_text(package_page(package), encoding="utf-8")
    names = "\n".join(f"- [{name}][{module}.{name}]" for name, module in samcarry._MODULE_OF.items())
    rows = "\n".join(f"| [{package.name}]({package.name}.md) | {subject(package)} |" for package in packages)
    (PAGES / "api/README.md").write_text(API.format(names=names, packages=rows), encoding="utf-8")


API = """# Python

These names are the public Python interface; all others may change between versions:

{names}

::: samcarry
    options: {{members: false, show_root_heading: false}}

All packages, for people who [change samcarry](../CONTRIBUTING.md):

| package | subject |
|---|---|
{packages}
"""


def package_page(package: Path) -> str:
    """A page with every module of a package, in Markdown."""
    name = f"samcarry.{package.name}"
    modules = [path for path in sorted(package.rglob("*.py")) if path.stem != "__init__"]
    names = [".".join(("samcarry", *path.relative_to(LIBRARY).with_suffix("").parts)) for path in modules]
    return "\n".join([f"# {name}", "", subject(package), "", *(f"::: {module}" for module in names), ""])


def subject(package: Path) -> str:
    """The first line of a package's docstring."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


if __name__ == "__main__":
    collect_pages()
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"], cwd=ROOT, env=environment, check=True
    )
    print("The site: .docs/site/index.html")
