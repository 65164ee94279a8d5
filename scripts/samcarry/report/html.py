"""HTML pages that work offline: rendered templates and embedded images."""

import base64
import io
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from PIL import Image

WIDEST = 2000
"""Width in pixels to which larger figures are shrunk."""


def render_page(package: str, **values: Any) -> str:
    """The template `page.html.jinja` of a package, filled in; all text is escaped.

    Escaping protects against names such as <b> in the user's data. Templates can use the filters `embedded`
    (see below) and `webp_uri`, which turns the bytes of a WebP image into a URI.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["embedded"] = embedded
    environment.filters["webp_uri"] = lambda data: data_uri(data, "image/webp")
    template = files(package).joinpath("page.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(**values)


def data_uri(data: bytes, mime: str) -> str:
    """Bytes as a data URI, which is part of the page itself."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def embedded(path: str | Path) -> dict[str, Any]:
    """An image file as WebP with `uri`, `width` and `height`; at most `WIDEST` pixels wide."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if image.width > WIDEST:
        height = round(image.height * WIDEST / image.width)
        image = image.resize((WIDEST, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=88, method=4)
    return {"uri": data_uri(stream.getvalue(), "image/webp"), "width": image.width, "height": image.height}
