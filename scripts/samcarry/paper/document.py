"""Texts whose numbers know their sources, and how they become Markdown and HTML.

A page has one sentence, or one cell of a table, a line, so that a comparison of lines names the sentence.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from string import Formatter

from samcarry.evaluation.formatting import markdown_table


@dataclass(frozen=True)
class Number:
    """A number or a name in a text, and the cell of a CSV file that it comes from.

    Attributes:
        text: as it is printed.
        file: the CSV file, relative to the folder of the paper.
        row: what selects the row, such as 'method=ours_r'.
        column: the column.
    """

    text: str
    file: str
    row: str
    column: str

    @property
    def source(self) -> str:
        """File, row and column for readers."""
        return f"{self.file}, row {self.row}, column {self.column}"


Sentence = tuple[str | Number, ...]
BLANK = "[to be filled in by the authors: {}]"


def say(template: str, **parts: "Number | Sentence | str") -> Sentence:
    """A sentence from a template such as 'Dice was {mean} %.', whose fields are filled with `parts`."""
    found: list[str | Number] = []
    for text, field, _, _ in Formatter().parse(template):
        if text:
            found.append(text)
        if field is not None:
            part = parts[field]
            found += part if isinstance(part, tuple) else [part]
    return tuple(found)


def joined(parts: Sequence[Number | Sentence | str], by: str = ", ") -> Sentence:
    """Parts as a list in a sentence."""
    found: list[str | Number] = []
    for place, part in enumerate(parts):
        found += [by] if place else []
        found += part if isinstance(part, tuple) else [part]
    return tuple(found)


def plain(sentence: Sentence) -> str:
    """A sentence as text."""
    return "".join(part if isinstance(part, str) else part.text for part in sentence)


@dataclass(frozen=True)
class Paragraph:
    """Sentences that belong together."""

    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Grid:
    """A table: its caption, headings and rows of cells."""

    caption: Sentence
    heads: tuple[str, ...]
    rows: tuple[tuple[Sentence, ...], ...]


@dataclass(frozen=True)
class Figure:
    """An image file, relative to the folder of the paper, and its caption."""

    file: str
    caption: Sentence


@dataclass(frozen=True)
class Section:
    """A heading and what is below it."""

    title: str
    blocks: tuple[Paragraph | Grid | Figure, ...]


@dataclass(frozen=True)
class Document:
    """A page."""

    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Line:
    """A line of a page.

    Attributes:
        text: the line.
        place: where it is on the page, such as 'Results'.
        sentence: what it says, with its numbers; () for markup.
    """

    text: str
    place: str = ""
    sentence: Sentence = ()

    @property
    def numbers(self) -> list[Number]:
        """The numbers of the line, from left to right."""
        return [part for part in self.sentence if isinstance(part, Number)]


def to_markdown(document: Document) -> list[Line]:
    """The lines of a page as Markdown."""
    return list(_markdown(document))


def _markdown(document: Document) -> Iterator[Line]:
    yield from (Line(f"# {document.title}"), Line(""))
    for section in document.sections:
        yield from (Line(f"## {section.title}"), Line(""))
        for block in section.blocks:
            if isinstance(block, Paragraph):
                for sentence in block.sentences:
                    yield Line(plain(sentence), section.title, sentence)
            elif isinstance(block, Figure):
                yield Line(f"![{plain(block.caption)}]({block.file})", section.title, block.caption)
            else:
                yield from _markdown_grid(block, section.title)
            yield Line("")


def _markdown_grid(grid: Grid, place: str) -> Iterator[Line]:
    yield from (Line(plain(grid.caption), place, grid.caption), Line(""))
    rows = [[plain(cell) for cell in row] for row in grid.rows]
    head, rule, *lines = markdown_table(grid.heads, rows).splitlines()
    yield from (Line(head, place), Line(rule))
    for line, row in zip(lines, grid.rows, strict=True):
        sentence = tuple(part for cell in row for part in cell)
        yield Line(line, f"{place}, table row {plain(row[0])!r}", sentence)


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#16202a}"
    "table{border-collapse:collapse;font-size:.85rem;display:block;overflow-x:auto}caption{text-align:left}"
    "td,th{border-bottom:1px solid #cdd5dd;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    "data{border-bottom:1px dotted #51606f;cursor:help}img{max-width:100%}mark{background:#ffe9a8}"
)


def to_html(document: Document) -> list[Line]:
    """The lines of a page as HTML; a number shows its source on hover."""
    return list(_html(document))


def _html(document: Document) -> Iterator[Line]:
    yield Line("<!doctype html>")
    yield Line('<html lang="en"><head><meta charset="utf-8">')
    yield Line('<meta name="viewport" content="width=device-width, initial-scale=1">')
    yield Line(f"<title>{escape(document.title)}</title><style>{_STYLE}</style></head><body>")
    yield Line(f"<h1>{escape(document.title)}</h1>")
    for section in document.sections:
        yield Line(f"<h2>{escape(section.title)}</h2>")
        for block in section.blocks:
            if isinstance(block, Paragraph):
                yield Line("<p>")
                for sentence in block.sentences:
                    yield Line(_marked_up(sentence), section.title, sentence)
                yield Line("</p>")
            elif isinstance(block, Figure):
                yield Line(f'<figure><img src="{escape(block.file)}" alt="">')
                caption = f"<figcaption>{_marked_up(block.caption)}</figcaption></figure>"
                yield Line(caption, section.title, block.caption)
            else:
                yield from _html_grid(block, section.title)
    yield Line("</body></html>")


def _html_grid(grid: Grid, place: str) -> Iterator[Line]:
    yield Line(f"<table><caption>{_marked_up(grid.caption)}</caption>", place, grid.caption)
    yield Line("<tr>" + "".join(f"<th>{escape(head)}</th>" for head in grid.heads) + "</tr>")
    for row in grid.rows:
        yield Line("<tr>")
        for head, cell in zip(grid.heads, row, strict=True):
            where = f"{place}, table row {plain(row[0])!r}, column {head!r}"
            yield Line(f"<td>{_marked_up(cell)}</td>", where, cell)
        yield Line("</tr>")
    yield Line("</table>")


def _marked_up(sentence: Sentence) -> str:
    return "".join(
        _text(part)
        if isinstance(part, str)
        else f'<data value="{escape(part.text)}" title="{escape(part.source)}">{escape(part.text)}</data>'
        for part in sentence
    )


def _text(text: str) -> str:
    """Escaped text with commands as code; what the authors have to fill in is marked."""
    start = BLANK.split("{}", maxsplit=1)[0]
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return f"<mark>{shown}</mark>" if text.startswith(start) else shown
