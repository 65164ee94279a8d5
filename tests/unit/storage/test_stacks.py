"""Shards on disk: they are read as written, also by other tools, and damage is reported."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from samcarry.errors import DamagedError, InputError
from samcarry.storage.stacks import Stack, pairs_of, read_header, read_shards, read_stack, write_stack

CASES, CLASSES = ("Ärmel", "zwölf — 2"), ("Os capitatum", "Ossa metacarpalia Ⅴ", "ß")
MASK = np.zeros((2, 3, 4, 5), np.uint8)  # case, class, height, width
MASK[1, 2, 3, 0] = 1
PROBABILITY = np.arange(120, dtype=np.uint8).reshape(2, 3, 4, 5) * 2
STACKS = {
    "image": Stack(PROBABILITY[:, 0], "image", CASES),
    "mask": Stack(MASK, "mask", CASES, CLASSES, {"rule": "clean", "seed": 3}),
    "probability": Stack(PROBABILITY, "probability", CASES, CLASSES),
}


def refused(path):
    """The error message for a file: one line that names it."""
    with pytest.raises(DamagedError) as caught:
        read_stack(path)
    assert caught.value.path == str(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", STACKS)
def test_values_are_read_as_written(tmp_path, kind):
    write_stack(tmp_path / "a.nii.gz", STACKS[kind])
    back = read_stack(tmp_path / "a.nii.gz")
    assert back.kind == kind
    assert back.values.dtype == np.uint8
    np.testing.assert_array_equal(back.values, STACKS[kind].values)


@pytest.mark.parametrize("kind", STACKS)
def test_names_with_umlauts_are_read_as_written(tmp_path, kind):
    write_stack(tmp_path / "a.nii.gz", STACKS[kind])
    back = read_stack(tmp_path / "a.nii.gz")
    assert back.cases == CASES
    assert back.classes == STACKS[kind].classes


def test_provenance_is_read_as_written(tmp_path):
    write_stack(tmp_path / "a.nii.gz", STACKS["mask"])
    assert read_stack(tmp_path / "a.nii.gz").made_by == {"rule": "clean", "seed": 3}


def test_one_case_of_one_class_keeps_its_four_axes(tmp_path):
    write_stack(tmp_path / "a.nii.gz", Stack(MASK[:1, :1], "mask", CASES[:1], CLASSES[:1]))
    assert read_stack(tmp_path / "a.nii.gz").values.shape == (1, 1, 4, 5)


def test_values_read_can_be_written_to(tmp_path):
    write_stack(tmp_path / "a.nii.gz", STACKS["mask"])
    assert read_stack(tmp_path / "a.nii.gz").values.flags.writeable


def test_threads_do_not_change_the_bytes(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (9, 2, 512, 512), np.uint8)  # several blocks
    stack = Stack(noise, "probability", tuple("abcdefghi"), CLASSES[:2])
    for threads in (1, 3):
        write_stack(tmp_path / f"{threads}.nii.gz", stack, threads)
    assert (tmp_path / "1.nii.gz").read_bytes() == (tmp_path / "3.nii.gz").read_bytes()
    assert (read_stack(tmp_path / "3.nii.gz").values == noise).all()


@pytest.mark.parametrize("kind", STACKS)
def test_the_same_stack_gives_the_same_bytes_under_any_name(tmp_path, kind):
    write_stack(tmp_path / "a.nii.gz", STACKS[kind])
    write_stack(tmp_path / "other.nii.gz", read_stack(tmp_path / "a.nii.gz"))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "other.nii.gz").read_bytes()


def test_nibabel_sees_probabilities_from_0_to_1(tmp_path):
    values = np.array([0, 51, 255], np.uint8).reshape(1, 1, 1, 3)
    write_stack(tmp_path / "a.nii.gz", Stack(values, "probability", ("a",), ("x",)))
    loaded = nib.load(tmp_path / "a.nii.gz").get_fdata()
    np.testing.assert_allclose(loaded.ravel(), [0, 0.2, 1], atol=1e-6)


def test_nibabel_sees_masks_as_0_and_1(tmp_path):
    write_stack(tmp_path / "a.nii.gz", STACKS["mask"])
    assert np.unique(nib.load(tmp_path / "a.nii.gz").get_fdata()).tolist() == [0, 1]


def test_nibabel_sees_the_axes_x_y_case_class(tmp_path):
    write_stack(tmp_path / "a.nii.gz", STACKS["mask"])
    loaded = nib.load(tmp_path / "a.nii.gz").get_fdata()
    assert loaded.shape == (5, 4, 2, 3)
    assert np.argwhere(loaded).tolist() == [[0, 3, 1, 2]]


def test_nibabel_sees_images_as_x_y_case(tmp_path):
    write_stack(tmp_path / "a.nii.gz", STACKS["image"])
    assert nib.load(tmp_path / "a.nii.gz").shape == (5, 4, 2)


def test_a_probability_above_a_half_is_foreground():
    values = np.array([0, 127, 128, 255], np.uint8).reshape(1, 1, 1, 4)
    masks = Stack(values, "probability", ("a",), ("x",)).masks
    assert masks.ravel().tolist() == [False, False, True, True]


def test_a_mask_of_1_is_foreground():
    assert np.argwhere(STACKS["mask"].masks).tolist() == [[1, 2, 3, 0]]


def test_a_missing_file_is_refused_in_one_line(tmp_path):
    refused(tmp_path / "none.nii.gz")


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.97, 0.9999])
def test_a_truncated_file_is_refused_in_one_line(tmp_path, keep):
    path = tmp_path / "a.nii.gz"
    noise = np.random.default_rng(0).integers(0, 255, (2, 3, 40, 50)).astype(np.uint8)
    write_stack(path, Stack(noise, "probability", CASES, CLASSES))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    refused(path)


def test_a_flipped_bit_is_refused_or_harmless_but_never_another_mask(tmp_path):
    path = tmp_path / "a.nii.gz"
    masks = (np.random.default_rng(0).random((3, 2, 30, 40)) > 0.9).astype(np.uint8)
    write_stack(path, Stack(masks, "mask", ("a", "b", "c"), ("x", "y")))
    content, refusals = path.read_bytes(), 0
    for place in range(0, len(content), 4):
        damaged = bytearray(content)
        damaged[place] ^= 0b00010000
        path.write_bytes(damaged)
        try:  # a few bits of a compressed file do not change its content
            assert (read_stack(path).values == masks).all()
        except InputError:
            refusals += 1
    assert refusals > 200


def test_a_stack_of_another_program_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 2), np.uint8), np.eye(4)), tmp_path / "a.nii.gz")
    refused(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("comment", [b"from another program", b"[1, 2]", b"null", b"{}"])
def test_a_stack_with_the_comment_of_another_program_is_refused(tmp_path, comment):
    image = nib.Nifti1Image(np.zeros((3, 4, 2), np.uint8), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", comment))
    nib.save(image, tmp_path / "a.nii.gz")
    refused(tmp_path / "a.nii.gz")


def test_a_web_page_under_the_name_of_a_stack_is_refused(tmp_path):
    (tmp_path / "a.nii.gz").write_text("<html>not found</html>" * 100)
    refused(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("kind", STACKS)
def test_a_header_equals_that_of_the_stack(tmp_path, kind):
    write_stack(tmp_path / "s.nii.gz", STACKS[kind])
    header, whole = read_header(tmp_path / "s.nii.gz"), read_stack(tmp_path / "s.nii.gz")
    assert (header.kind, header.cases, header.classes, header.made_by) == (
        whole.kind,
        whole.cases,
        whole.classes,
        whole.made_by,
    )


@pytest.mark.parametrize("content", [None, b"", b"no gzip", gzip.compress(b"no nifti", mtime=0)])
def test_a_damaged_header_is_reported_in_one_line(tmp_path, content):
    path = tmp_path / "s.nii.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_header(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- pairs and single cases -----------------------------------------------------------------


PAIRS = [
    (
        Stack(np.array([10, 20], np.uint8).repeat(6).reshape(2, 2, 3), "image", ("a", "b")),
        Stack(np.array([0, 1], np.uint8).repeat(6).reshape(2, 1, 2, 3), "mask", ("a", "b"), ("bone",)),
    ),
    (
        Stack(np.array([30, 40], np.uint8).repeat(6).reshape(2, 2, 3), "image", ("c", "d")),
        Stack(np.array([1, 0], np.uint8).repeat(6).reshape(2, 1, 2, 3), "mask", ("c", "d"), ("bone",)),
    ),
]


@pytest.fixture
def files(tmp_path):
    """Two image shards and two mask shards on disk."""
    for number, (image_stack, mask_stack) in enumerate(PAIRS):
        write_stack(tmp_path / f"images{number}.nii.gz", image_stack)
        write_stack(tmp_path / f"masks{number}.nii.gz", mask_stack)
    return [[str(tmp_path / f"{kind}{n}.nii.gz") for n in range(2)] for kind in ("images", "masks")]


def test_pairs_are_read_shard_by_shard(files):
    assert [(one.cases, other.cases) for one, other in pairs_of(*files)] == [
        (("a", "b"), ("a", "b")),
        (("c", "d"), ("c", "d")),
    ]


def test_pairs_of_lists_of_different_length_are_refused(files):
    with pytest.raises(ValueError, match="shorter"):
        list(pairs_of(files[0], files[1][:1]))


# ---- cases and classes are paired by name --------------------------------------------------------


NUMBERED = np.arange(2 * 2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 2, 3)  # case, class, height, width


@pytest.fixture
def place(tmp_path):
    """A function that writes a stack and returns its path."""

    def write(cases, classes=(), values=None, kind="probability", name="p"):
        path = tmp_path / f"{name}.nii.gz"
        write_stack(path, Stack(NUMBERED if values is None else values, kind, tuple(cases), tuple(classes)))
        return path

    return write


def test_cases_and_classes_are_read_in_the_order_wanted(place):
    stack = read_stack(place("ab", "xy"), cases=["b", "a"], classes=["y", "x"])
    assert (stack.cases, stack.classes) == (("b", "a"), ("y", "x"))
    np.testing.assert_array_equal(stack.values, NUMBERED[::-1, ::-1])
    one = read_stack(place("ab", "xy"), cases=["b"])
    np.testing.assert_array_equal(one.values, NUMBERED[1:])
    image = read_stack(place("ab", values=NUMBERED[:, 0], kind="image"), cases=["b"], classes=["x"])
    np.testing.assert_array_equal(image.values, NUMBERED[1:, 0])


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ({"cases": ["a", "c"]}, "has no case 'c'"),
        ({"classes": ["x", "z"]}, "has the classes x, y, not x, z"),
        ({"classes": ["x"]}, "has the classes x, y, not x"),
        ({"classes": ["x", "y", "z"]}, "has the classes x, y, not x, y, z"),
    ],
)
def test_other_cases_and_classes_are_damage(place, how, what):
    with pytest.raises(DamagedError, match=what) as caught:
        read_stack(place("ab", "xy"), **how)
    assert caught.value.path.endswith("p.nii.gz")


def test_pairs_are_matched_by_name_and_not_by_position(place):
    prediction = place("ab", "xy")
    reference = place("ba", "yx", NUMBERED[::-1, ::-1].copy(), name="r")
    ((one, other),) = pairs_of([prediction], [reference])
    assert (one.cases, one.classes) == (other.cases, other.classes) == (("b", "a"), ("y", "x"))
    np.testing.assert_array_equal(one.values, other.values)
    ((one, other),) = pairs_of([prediction], [reference], ["x", "y"])
    assert one.classes == other.classes == ("x", "y")


def test_only_cases_with_a_reference_are_paired(place):
    ((one, other),) = pairs_of([place("ab", "xy")], [place("b", "xy", NUMBERED[1:], name="r")])
    assert one.cases == other.cases == ("b",)
    np.testing.assert_array_equal(one.values, other.values)


def test_all_pairs_have_the_classes_of_the_first(place):
    ones = [place("ab", "xy"), place("cd", "yx", name="p2")]
    others = [place("ab", "xy", name="r1"), place("cd", "yx", name="r2")]
    assert [stack.classes for pair in pairs_of(ones, others) for stack in pair] == [("x", "y")] * 4


@pytest.mark.parametrize(
    ("cases", "classes", "values", "what"),
    [
        ("ac", "xy", NUMBERED, "has no case 'b'"),
        ("a", "xy", NUMBERED[:1], "has no case 'b'"),
        ("ab", "xz", NUMBERED, "has the classes x, z"),
        ("ab", "xy", NUMBERED[..., :2], "has another size"),
    ],
)
def test_a_prediction_that_does_not_fit_its_reference_is_named(place, cases, classes, values, what):
    with pytest.raises(DamagedError, match=what) as caught:
        list(pairs_of([place(cases, classes, values)], [place("ab", "xy", name="r")]))
    assert caught.value.path.endswith("p.nii.gz")


def test_classes_of_all_shards_are_read_in_one_order(place):
    paths = [place("ab", "xy", kind="mask"), place("cd", "yx", kind="mask", name="p2")]
    found = read_shards(paths, ["a", "c"])
    np.testing.assert_array_equal(found["a"], NUMBERED[0] > 0)
    np.testing.assert_array_equal(found["c"], NUMBERED[0, ::-1] > 0)
    found = read_shards(paths, ["a"], ["y", "x"])
    np.testing.assert_array_equal(found["a"], NUMBERED[0, ::-1] > 0)


def test_single_images_are_found_in_any_shard(files):
    found = read_shards(files[0], ["d", "a"])
    assert {case: value.tolist() for case, value in found.items()} == {
        "a": [[10] * 3] * 2,
        "d": [[40] * 3] * 2,
    }


def test_single_masks_are_bool(files):
    found = read_shards(files[1], ["b", "d"])
    assert found["b"].dtype == bool
    assert found["b"].sum(axis=(1, 2)).tolist() == [6]
    assert not found["d"].any()
