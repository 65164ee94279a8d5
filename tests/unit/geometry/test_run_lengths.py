"""Run lengths: what is encoded is decoded unchanged, and what does not add up is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from samcarry.errors import InputError
from samcarry.geometry.run_lengths import (
    Spool,
    check_runs,
    decode_box,
    decompress_counts,
    encode_image,
    encode_mask,
    encode_runs,
)

ARRAYS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(st.lists(st.integers(-2, 9), max_size=6))
def test_run_lengths_that_do_not_fill_their_box_are_refused(lengths):
    if sum(lengths) == 12 and min(lengths) >= 0:
        check_runs(lengths, 3, 4)
    else:
        with pytest.raises(InputError, match="4 x 3"):
            check_runs(lengths, 3, 4)


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=12))
def test_counts_that_pycocotools_compressed_are_decompressed_unchanged(runs):
    total = sum(runs)
    packed = coco_mask.frPyObjects({"size": [total, 1], "counts": runs}, total, 1)
    assert list(decompress_counts(packed["counts"].decode())) == runs


@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_encoded_runs_are_decoded_unchanged(bitmap):
    runs = encode_runs(bitmap)
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    np.testing.assert_array_equal(pixels.reshape(bitmap.shape), bitmap)
    assert min(runs[1:], default=1) > 0  # CVAT writes an empty run only at the beginning


@given(ARRAYS)
def test_encoded_masks_are_decoded_unchanged(mask):
    runs = encode_mask(mask)
    assert (runs.height, runs.width) == mask.shape
    decoded = coco_mask.decode({"size": list(mask.shape), "counts": runs.counts})
    np.testing.assert_array_equal(decoded, mask)


@given(arrays(bool, st.tuples(st.just(2), st.integers(1, 6), st.integers(1, 6))))
def test_an_encoded_image_has_the_classes_present_with_area_and_box(masks):
    image = encode_image("a.png", masks)
    assert (image.file_name, image.height, image.width) == ("a.png", *masks.shape[1:])
    assert [mask.class_index for mask in image.masks] == [n for n in range(2) if masks[n].any()]
    for mask in image.masks:
        left, top, width, height = mask.box
        whole = masks[mask.class_index]
        inside = whole[top : top + height, left : left + width]
        assert mask.area == whole.sum() == inside.sum()
        np.testing.assert_array_equal(decode_box(image, mask), inside)


def test_a_spool_returns_its_images_in_order_and_more_than_once(tmp_path):
    spool = Spool(tmp_path / "runs.jsonl")
    assert list(spool) == []
    masks = np.arange(40).reshape(2, 4, 5) % 3 == 0
    images = [encode_image(name, masks) for name in ("Ä.png", "b\n.png", "c.png")]
    for image in images:
        spool.add(image)
    assert list(spool) == images
    assert list(spool) == images
    assert all(isinstance(mask.box, tuple) for image in spool for mask in image.masks)


@pytest.mark.parametrize("counts", ["o", "0o", "ä", "0 ", "ooooooo0"])
def test_counts_that_are_cut_off_or_not_an_encoding_are_refused(counts):
    with pytest.raises(InputError, match="cut off or damaged"):
        decompress_counts(counts)
