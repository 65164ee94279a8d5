"""The frame of jobs (`scripts/job.py`), run in this process with a job that a test makes up."""

import importlib
import logging
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from samcarry.runtime import processes
from samcarry.storage import runs


class _Named(list):
    """A list whose entries have names, as Snakemake's."""

    def __init__(self, entries: Iterable[Any] = (), **named: Any) -> None:
        super().__init__([*entries, *named.values()])
        self.named = named
        self.__dict__.update(named)

    def keys(self) -> Iterable[str]:
        return self.named.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        return self.named.items()


def run_job(
    inputs: Iterable[str], outputs: Iterable[str], work: Callable[[], None] = lambda: None, **params: Any
) -> list[str]:
    """Run `work` in the frame of a job, in the working directory; return the errors in its log."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:  # this process is to outlive its parent
        patch.setattr(processes, "end_with_parent", lambda: None)
        frame = importlib.import_module("job")
    signal.signal(signal.SIGINT, before)
    log = Path("results/demo/logs/made_up.log")
    made_up = SimpleNamespace(
        rule="made_up",
        wildcards=_Named(dataset="demo"),
        input=_Named(inputs),
        output=_Named(outputs),
        params=_Named(**params),
        log=[str(log)],
        threads=1,
    )
    root = logging.getLogger()
    handlers = list(root.handlers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame, "_leave", _leave)
        patch.setattr(runs, "_joined", [])
        try:
            with frame.job(made_up):
                work()
        except SystemExit:
            pass
        finally:
            for handler in set(root.handlers) - set(handlers):
                root.removeHandler(handler)
                handler.close()
            logging.captureWarnings(capture=False)
    lines = log.read_text(encoding="utf-8").splitlines()
    return [line.split("] error: ", 1)[1] for line in lines if "] error: " in line]


def _leave(code: int) -> None:
    raise SystemExit(code)
