"""Errors that are shown to the user without a traceback, one line per problem."""

from collections.abc import Mapping, Sequence
from pathlib import Path

_MAX_LINE_LENGTH = 1000


class InputError(ValueError):
    """Invalid input that the user has to fix.

    The message has one line per problem: which file, what is wrong, what to do. Scripts print it without a
    traceback.
    """

    def __init__(self, message: str) -> None:
        # Messages quote the contents of files, which may be unprintable and of any length.
        super().__init__("\n".join(_printable(line) for line in message.split("\n")))


class DamagedError(InputError):
    """A file that a rule of the workflow wrote is missing or damaged.

    The message names the file and the damage; the caller adds how to regenerate the file. `remake` is the
    file whose rule does that: the file itself, unless it is one of many in a folder.
    """

    def __init__(self, path: str | Path, what: str, remake: str | Path | None = None) -> None:
        super().__init__(f"{path}: {what}")
        self.path, self.what = str(path), what
        self.remake = str(path if remake is None else remake)

    def with_remake(self, remake: str | Path) -> "DamagedError":
        """The same error with another file whose rule makes the damaged one again."""
        return DamagedError(self.path, self.what, remake)


def _printable(line: str) -> str:
    """A line without control characters, which a terminal would obey; a very long one loses its middle."""
    line = "".join(character if character.isprintable() else " " for character in line)
    return line if len(line) <= _MAX_LINE_LENGTH else f"{line[:600]} … {line[-300:]}"


class AboutSettings(str):
    """A warning about data that settings answer, such as a size; `samcarry init` chooses these itself."""

    __slots__ = ()


class LeftOut(str):
    """A line of an import's summary about something of the user's that it did not use."""

    __slots__ = ()


MAX_LINES = 50
"""Problems that one error lists."""


def raise_faults(faults: Sequence[str]) -> None:
    """Raise one InputError with one line per fault, at most 50; do nothing if there are no faults.

    Raises:
        InputError: there is at least one fault.
    """
    if not faults:
        return
    # A file name may contain a line break; its fault stays on one line.
    lines = [fault.replace("\r", " ").replace("\n", " ") for fault in faults]
    raise InputError("\n".join(first_lines(lines)))


def first_lines(lines: Sequence[str]) -> list[str]:
    """At most `MAX_LINES` lines, and one that counts the others."""
    rest = len(lines) - MAX_LINES
    return [*lines[:MAX_LINES], f"... and {rest} more"] if rest > 0 else list(lines)


def shortlist(names: Sequence[str], most: int = 5) -> str:
    """Join `names` with commas, at most the first `most` of them: 'a, b, c and 4 more'."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def list_counts(counts: Mapping[str, int], most: int | None = None) -> str:
    """Names with their numbers, sorted: 'box 2, points 1', as `shortlist` if there are more than `most`."""
    return shortlist([f"{name} {count}" for name, count in sorted(counts.items())], most or len(counts))
