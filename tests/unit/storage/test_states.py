"""A state is read only if every byte of it is as it was written."""

import pytest

from samcarry.errors import DamagedError
from samcarry.storage.states import read_state, write_state

CONTENT = b"weights" * 20


def test_a_state_is_read_as_written(tmp_path):
    write_state(tmp_path / "s", lambda stream: stream.write(CONTENT))
    assert read_state(tmp_path / "s").read() == CONTENT
    write_state(tmp_path / "s", lambda stream: None)
    assert read_state(tmp_path / "s").read() == b""


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path):
    path = tmp_path / "s"
    write_state(path, lambda stream: stream.write(CONTENT))
    content = path.read_bytes()
    for place in range(len(content)):
        flipped = bytes([content[place] ^ 1 << place % 8])
        for damaged in (content[:place], content[:place] + flipped + content[place + 1 :]):
            path.write_bytes(damaged)
            with pytest.raises(DamagedError, match="has changed since it was written"):
                read_state(path)


def test_a_missing_state_is_an_error(tmp_path):
    with pytest.raises(DamagedError, match="there is no such file"):
        read_state(tmp_path / "s")
