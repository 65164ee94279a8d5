"""Texts in cells of CSV files that spreadsheet programs must not take for formulas.

Names of cases, classes, patients and files are the user's, and `=HYPERLINK(...)` in a cell is a formula to a
spreadsheet program. An apostrophe before such a text makes it a text. Whatever reads CSV here removes it, so
that each text is read as it was; numbers such as -1.5 are unchanged.
"""

import re

# A text that already begins with apostrophes gets one more, so that removing one always restores the text.
_FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])")


def guarded(text: str) -> str:
    """The text as a cell, which no spreadsheet program takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text


def unguarded(cell: str) -> str:
    """The text of a cell that `guarded` made."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
