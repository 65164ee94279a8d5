"""A stream compressed in several threads is plain gzip, with the same bytes for the same content."""

import gzip
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samcarry.storage import parallel_gzip as module
from samcarry.storage.parallel_gzip import gzip_writer


def compressed(parts, threads=1):
    """The gzip file of parts that are written one after the other."""
    file = io.BytesIO()
    with gzip_writer(file, threads) as stream:
        for part in parts:
            stream.write(part)
    return file.getvalue()


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 1000)


def content(size=12_345):
    """Bytes with constant runs and noise."""
    values = np.random.default_rng(0).integers(0, 255, size).astype(np.uint8)
    values[size // 3 : size // 2] = 7
    return values.tobytes()


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_gzip_reader_restores_the_content(parts):
    assert gzip.decompress(compressed(parts)) == b"".join(parts)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("size", [0, 999, 1000, 1001, 12_345])
def test_blocks_are_one_member_with_the_content(size):
    result = compressed([content(size)])
    assert gzip.decompress(result) == content(size)
    assert result.count(result[:10]) == 1


@pytest.mark.usefixtures("small_blocks")
def test_neither_threads_nor_the_parts_it_comes_in_change_the_bytes():
    everything, expected = content(), compressed([content()])
    assert compressed([everything], threads=4) == expected
    assert compressed([everything[:1], everything[1:3000], everything[3000:]], threads=2) == expected


def test_a_gap_is_filled_with_zeros():
    file = io.BytesIO()
    with gzip_writer(file, 1) as stream:
        stream.write(b"ab")
        stream.seek(5)
        assert stream.tell() == 5
        stream.write(b"c")
    assert gzip.decompress(file.getvalue()) == b"ab\0\0\0c"


def test_the_stream_does_not_go_back():
    with gzip_writer(io.BytesIO(), 1) as stream:
        stream.write(b"abc")
        with pytest.raises(ValueError, match="negative"):
            stream.seek(1)


@pytest.mark.usefixtures("small_blocks")
def test_a_full_disk_is_reported():
    class Full(io.BytesIO):
        def write(self, content):
            if self.tell() > 2000:
                raise OSError(28, "No space left on device")
            return super().write(content)

    with pytest.raises(OSError, match="No space"), gzip_writer(Full(), 2) as stream:
        stream.write(content())


def test_runs_shrink_a_hundredfold():
    assert len(compressed([bytes(1_000_000)])) < 10_000
