"""What the offline pages share: one script, a policy that forbids requests, and the template."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from samcarry.images.colours import class_colours_8bit

MOST_BYTES = 100_000_000
"""A larger page is not made: browsers open it slowly, and mail programs refuse it."""

# Colours that readers with any kind of colour vision tell apart, after Okabe and Ito; without black and blue,
# which can hardly be seen on a radiograph.
_EASY_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7")
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)


def page_colours(count: int) -> list[str]:
    """The colours of the classes as #rrggbb; the first six are easy to tell apart for everybody."""
    others = class_colours_8bit(count)
    return [
        _EASY_COLOURS[index] if index < len(_EASY_COLOURS) else "#" + bytes(others[index]).hex()
        for index in range(count)
    ]


def render_frame(
    name: str, *, about: Mapping[str, Any], weights: str, blocks: Sequence[Mapping[str, str]] = ()
) -> str:
    """The page `name`: its template, style and program, all in one text.

    Args:
        name: `annotate` or `model`; the page's own files in page/ begin with it.
        about: the description of the page, which its program and its template read.
        weights: numbers of a network, base64.
        blocks: further data, each with `type`, `id` and `text`.
    """
    program, style = bundle(f"{name}_main"), _source("shared.css") + _source(f"{name}.css")
    environment = Environment(
        loader=PackageLoader("samcarry.annotate", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(f"{name}.html.jinja").render(
        about=about,
        policy=_policy(program, style),
        style=style,
        program=program,
        blocks=[
            {"type": "application/json", "id": "page", "text": _json(about)},
            {"type": "text/plain", "id": "worker", "text": bundle(f"{name}_worker")},
            {"type": "text/plain", "id": "weights", "text": weights},
            *blocks,
        ],
    )


def bundle(entry: str) -> str:
    """A module of the folder page/ and all that it imports, as one classic script.

    A page that was opened as a file cannot load modules. All names at the top of the modules differ, so that
    putting one after the other is enough.
    """
    sources: dict[str, str] = {}

    def add(name: str) -> None:
        if name in sources:
            return
        source = _source(f"{name}.js")
        sources[name] = ""  # a circle of imports would otherwise not end
        for imported in _IMPORT.findall(source):
            add(imported)
        del sources[name]
        sources[name] = re.sub(r"^export ", "", _IMPORT.sub("", source), flags=re.MULTILINE)

    add(entry)
    return '(() => {\n"use strict";\n' + "\n".join(sources.values()) + "})();\n"


def as_base64(data: bytes) -> str:
    """Bytes as a text."""
    return base64.b64encode(data).decode("ascii")


def _source(name: str) -> str:
    return files("samcarry.annotate").joinpath("page", name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that cannot end the element that it is in."""
    text = json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _policy(program: str, style: str) -> str:
    """A Content-Security-Policy that allows exactly this program and style, and no request to anywhere."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash_of(program)}",
            "worker-src blob:",
            f"style-src {_hash_of(style)}",
            "img-src data:",
            "connect-src 'none'",
            "form-action 'none'",
            "base-uri 'none'",
        ]
    )


def _hash_of(text: str) -> str:
    return f"'sha256-{as_base64(hashlib.sha256(text.encode()).digest())}'"
