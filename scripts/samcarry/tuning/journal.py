"""The journal file of a tuning study: shared by processes, and cleaned up after killed ones.

Each line has a digest of itself: a changed digit would be another gain, and so perhaps another choice.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from samcarry.errors import InputError

log = logging.getLogger(__name__)
_DIGEST = "sha256"
LOCK_SECONDS = 30
"""Optuna holds the journal's lock for milliseconds; an older lock was left behind by a killed process."""


@contextlib.contextmanager
def open_study(journal: Path, name: str) -> Iterator[optuna.Study]:
    """Yield the study `name` of a journal; it is created if necessary.

    A process holds a shared lock on the journal as long as it works on it. The operating system releases
    the lock when the process ends, however it ends. A process that opens the journal while no other process
    uses it first removes what killed processes left: half a line at the end, Optuna's lock file, and trials
    that would stay 'running' forever.

    Raises:
        InputError: the journal is damaged.
    """
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.open("ab+") as stream:
        alone = _lock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if alone:
            _drop_incomplete_line(stream)
            _drop_if_of_an_earlier_version(stream, journal)
            Path(f"{journal}.lock").unlink(missing_ok=True)
        else:
            _lock(stream, fcntl.LOCK_SH)
        study = _load_study(journal, name)
        if alone:
            _fail_running_trials(study)
            _lock(stream, fcntl.LOCK_SH)
        yield study


def _lock(stream: BinaryIO, operation: int) -> bool:
    """Try to lock a file; False if another process holds it, or the file system has no such locks."""
    try:
        fcntl.flock(stream, operation)
    except OSError:
        return False
    return True


def _drop_incomplete_line(stream: BinaryIO) -> None:
    stream.seek(0)
    text = stream.read()
    os.ftruncate(stream.fileno(), text.rfind(b"\n") + 1)


def _drop_if_of_an_earlier_version(stream: BinaryIO, journal: Path) -> None:
    """Empty a journal whose lines have no digests; its studies are of other code and would not be used."""
    stream.seek(0)
    first = stream.readline()
    if first.startswith(b'{"op_code"') and f'"{_DIGEST}":'.encode() not in first:
        log.warning("%s: is of an earlier version: tuning starts from scratch", journal)
        os.ftruncate(stream.fileno(), 0)


class _CheckedJournal(JournalFileBackend):
    """Optuna's journal with a digest in each line."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        super().append_logs([{**entry, _DIGEST: _digest_of(entry)} for entry in logs])

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        for entry in super().read_logs(log_number_from):
            if entry.pop(_DIGEST, None) != _digest_of(entry):
                raise ValueError("a line has changed since it was written")
            yield entry


def _digest_of(entry: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:16]


def _fail_running_trials(study: optuna.Study) -> None:
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def _load_study(journal: Path, name: str) -> optuna.Study:
    try:
        lock = JournalFileOpenLock(str(journal), grace_period=LOCK_SECONDS)
        storage = JournalStorage(_CheckedJournal(str(journal), lock_obj=lock))
        return optuna.create_study(
            storage=storage, study_name=name, direction="maximize", load_if_exists=True
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{journal}: this tuning journal is damaged ({error}). Delete it and run the same command again; "
            "tuning then starts from scratch."
        ) from error
