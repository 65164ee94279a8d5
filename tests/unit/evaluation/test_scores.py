"""Hausdorff distance and surface Dice, against MONAI and their definitions; rows of dice.csv."""

import csv
import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from monai.metrics.utils import get_edge_surface_distance
from scipy.spatial.distance import cdist

from samcarry.evaluation.scores import (
    DiceRow,
    centre_distance,
    columns_for,
    dice_rows,
    surface_scores,
    write_dice,
)
from support.paths import ROOT

# Both warnings come from inside the libraries.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Please import .* from the `scipy.ndimage`:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning"),
]

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@st.composite
def small_masks(draw):
    """Two masks of one shape, none empty: noise, or single pixels."""
    shape = draw(SHAPES)
    pair = []
    for _ in range(2):
        mask = draw(arrays(bool, shape)) if draw(st.booleans()) else np.zeros(shape, dtype=bool)
        mask[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = True
        pair.append(mask)
    return tuple(pair)


def disc(shape, centre, radius):
    rows, columns = np.indices(shape)
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def contour(mask):
    """Corners between inner and outer pixels, and the length of contour that each stands for."""
    padded = np.pad(mask, 1)
    places, lengths = [], []
    for row, column in itertools.product(range(mask.shape[0] + 1), range(mask.shape[1] + 1)):
        (a, b), (c, d) = padded[row : row + 2, column : column + 2]
        inside = int(a) + int(b) + int(c) + int(d)
        if inside in (0, 4):
            continue
        places.append((row, column))
        if inside == 2:  # side by side: a straight line; across: two cut corners
            lengths.append(math.sqrt(2) if a == d else 1.0)
        else:  # one corner is cut off
            lengths.append(math.sqrt(0.5))
    return np.array(places), np.array(lengths)


def directed(distances, lengths, share):
    """The smallest distance within which that share of the length lies."""
    return min(d for d in distances if lengths[distances <= d].sum() >= share * lengths.sum())


def possible_hausdorffs(reference, predicted):
    """By definition; more than one where rounding decides whether 95 % are reached."""
    (here, of_here), (there, of_there) = contour(reference), contour(predicted)
    distances = cdist(here, there)
    sides = [(distances.min(axis=1), of_here), (distances.min(axis=0), of_there)]
    return [max(directed(*side, 0.95 + slack) for side in sides) for slack in (-1e-9, 1e-9)]


def test_hausdorff_distance_of_a_shifted_square_is_the_shift():
    square = np.zeros((20, 20), dtype=bool)
    square[4:10, 4:10] = True
    assert surface_scores(square, np.roll(square, 3, axis=1), 0)[0] == 3


def test_surface_dice_of_two_pixels_apart_is_the_share_within_tolerance():
    one, other = np.zeros((2, 1, 5), dtype=bool)
    one[0, 0] = other[0, 3] = True
    # Corners at columns 0, 1 and at 3, 4: the inner two of each side are 2 apart, the outer two 3.
    assert surface_scores(one, other, 1.9) == (3, 0)
    assert surface_scores(one, other, 2) == (3, 0.5)
    assert surface_scores(one, other, 3) == (3, 1)


@given(small_masks())
def test_hausdorff_distance_equals_the_definition(pair):
    assert surface_scores(*pair, 1)[0] in [pytest.approx(value) for value in possible_hausdorffs(*pair)]


@given(small_masks(), st.sampled_from([0, 1, 1.5, 2, 3]))
def test_surface_dice_equals_the_definition(pair, tolerance):
    (here, of_here), (there, of_there) = map(contour, pair)
    distances = cdist(here, there)
    near = (
        of_here[distances.min(axis=1) <= tolerance].sum() + of_there[distances.min(axis=0) <= tolerance].sum()
    )
    expected = near / (of_here.sum() + of_there.sum())
    assert surface_scores(*pair, tolerance)[1] == pytest.approx(expected)


@given(small_masks(), st.sampled_from([0, 1, 1.5, 2, 3]))
def test_surface_dice_equals_monais(pair, tolerance):
    reference, predicted = (torch.tensor(mask)[None, None] for mask in pair)
    theirs = compute_surface_dice(
        predicted, reference, [tolerance], include_background=True, use_subvoxels=True
    )
    assert surface_scores(*pair, tolerance)[1] == pytest.approx(theirs.item(), abs=1e-6)


@given(small_masks())
def test_hausdorff_distance_equals_that_of_monais_contour(pair):
    edges, distances, lengths = get_edge_surface_distance(
        *(torch.tensor(mask) for mask in pair), use_subvoxels=True, symmetric=True
    )
    sides = [
        (of_side.numpy(), length[edge].numpy().astype(float))
        for edge, of_side, length in zip(edges, distances, lengths, strict=True)
    ]
    found = surface_scores(*pair, 1)[0]
    possible = [max(directed(*side, 0.95 + slack) for side in sides) for slack in (-1e-6, 1e-6)]
    assert found in [pytest.approx(value, abs=1e-5) for value in possible]


@given(st.integers(3, 12), st.integers(3, 12), st.integers(-8, 8), st.integers(-8, 8))
def test_hausdorff_distance_of_round_things_is_monais_within_a_pixels_diagonal(size, other, down, right):
    # MONAI's edge is a row of pixel centres, each half a diagonal at most from a corner of ours.
    pair = (disc((48, 48), (24, 24), size), disc((48, 48), (24 + down, 24 + right), other))
    reference, predicted = (torch.tensor(mask)[None, None] for mask in pair)
    theirs = compute_hausdorff_distance(predicted, reference, include_background=True, percentile=95)
    assert surface_scores(*pair, 1)[0] == pytest.approx(theirs.item(), abs=math.sqrt(2))


@given(small_masks())
def test_surface_scores_are_symmetric_and_within_their_bounds(pair):
    distance, share = surface_scores(*pair, 1)
    assert surface_scores(*pair[::-1], 1) == (distance, pytest.approx(share))
    assert 0 <= distance <= math.hypot(*pair[0].shape)
    assert 0 <= share <= 1


@given(small_masks())
def test_a_mask_is_at_no_distance_from_itself(pair):
    assert surface_scores(pair[0], pair[0], 0) == (0, 1)


@given(small_masks(), st.tuples(*[st.integers(0, 4)] * 4))
def test_the_image_around_changes_nothing(pair, margins):
    # So what lies beyond the border is background, and cropping is free.
    above, below, left, right = margins
    larger = [np.pad(mask, ((above, below), (left, right))) for mask in pair]
    assert surface_scores(*larger, 1) == surface_scores(*pair, 1)


@pytest.mark.parametrize("predicted", [False, True])
def test_surface_scores_are_undefined_where_the_reference_is_empty(predicted):
    assert surface_scores(np.zeros((3, 3), dtype=bool), np.full((3, 3), predicted), 1) == (None, None)


def test_a_class_that_is_missed_costs_the_diagonal():
    reference = np.zeros((3, 4), dtype=bool)
    reference[1, 1] = True
    assert surface_scores(reference, np.zeros((3, 4), dtype=bool), 1) == (5, 0)


@given(small_masks())
def test_an_empty_prediction_never_scores_better_than_another(pair):
    missed = surface_scores(pair[0], np.zeros_like(pair[0]), 1)
    distance, share = surface_scores(*pair, 1)
    assert distance <= missed[0]
    assert share >= missed[1]


# ---- pixels with a size ---------------------------------------------------------------------------


def vectors():
    """Pairs of masks with the scores that other libraries gave them; the file says which and how."""
    path = ROOT / "tests/unit/evaluation/second_libraries.json"
    return json.loads(path.read_text(encoding="utf-8"))["pairs"]


@pytest.mark.parametrize("pair", vectors(), ids=lambda pair: pair["name"])
def test_surface_scores_agree_with_other_libraries(pair):
    masks = [np.array([list(row) for row in pair[name]]) == "#" for name in ("reference", "predicted")]
    hd95, surface_dice = surface_scores(*masks, pair["tolerance"], tuple(pair["spacing"]))
    assert surface_dice == pytest.approx(pair["surface_dice_monai"], abs=1e-5)
    # Their contours are rows of pixels; ours runs between pixels, and its pieces have lengths.
    pixel = math.hypot(*pair["spacing"])
    assert hd95 == pytest.approx(pair["hd95_simpleitk"], abs=pixel / 2)
    assert hd95 == pytest.approx(pair["hd95_medpy"], abs=pixel)


# Powers of two: with 0.1, rounding may decide which of two lengths of contour is the first to reach 95 %.
@given(small_masks(), st.sampled_from([0.125, 0.25, 2]))
@example(pair=(np.eye(5, dtype=bool), np.eye(5, k=1, dtype=bool)), size=0.1)
def test_distances_are_proportional_to_the_size_of_square_pixels(pair, size):
    distance, share = surface_scores(*pair, 1.5)
    assert surface_scores(*pair, 1.5 * size, (size, size)) == (
        pytest.approx(distance * size),
        pytest.approx(share),
    )


def test_rows_and_columns_may_have_different_sizes():
    square = np.zeros((20, 20), dtype=bool)
    square[4:10, 4:10] = True
    assert surface_scores(square, np.roll(square, 3, axis=1), 0, (0.5, 0.2))[0] == pytest.approx(0.6)
    assert surface_scores(square, np.roll(square, 3, axis=0), 0, (0.5, 0.2))[0] == pytest.approx(1.5)
    assert centre_distance(square, np.roll(square, (3, 4), axis=(0, 1)), (0.5, 0.2)) == pytest.approx(
        math.hypot(1.5, 0.8)
    )


def test_a_class_that_is_missed_costs_the_diagonal_in_mm():
    reference = np.zeros((3, 4), dtype=bool)
    reference[1, 1] = True
    missed = surface_scores(reference, np.zeros((3, 4), dtype=bool), 1, (2.0, 1.5))
    assert missed == (pytest.approx(math.hypot(6, 6)), 0)


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_mask_has_no_centre(empty):
    masks = [np.ones((3, 4), dtype=bool), np.ones((3, 4), dtype=bool)]
    masks[empty][:] = False
    assert centre_distance(*masks) is None


REFERENCE = np.zeros((2, 2, 3, 4), dtype=bool)  # case, class, height, width
REFERENCE[0, 0, 0, :3] = True
PREDICTED = np.zeros_like(REFERENCE)
PREDICTED[0, 0, 0, 2:] = True
PREDICTED[1, 1, 2] = True


def rows(**options):
    return dice_rows(
        REFERENCE,
        PREDICTED,
        ("a", "b"),
        ("Radius", "Ulna"),
        dataset="wrist",
        n=5,
        seed=2,
        method="unet",
        tolerance=1,
        **options,
    )


def test_rows_in_mm_have_areas_in_square_mm():
    row = rows(spacing=(0.5, 0.2))[0]
    assert (row.reference_px, row.predicted_px) == (3, 2)
    assert (row.reference_mm2, row.predicted_mm2) == (pytest.approx(0.3), pytest.approx(0.2))
    assert (row.hd95, row.centre) == (pytest.approx(2 * 0.2), pytest.approx(1.5 * 0.2))
    assert rows()[0].reference_mm2 is None


def test_rows_hold_the_largest_probability_of_the_class():
    found = rows(probability=np.array([[0.25, 0.5], [0.75, 1.0]]))
    assert [row.probability for row in found] == [0.25, 0.5, 0.75, 1.0]
    assert rows()[0].probability is None


def test_there_is_a_row_for_each_case_and_class():
    assert [(row.case, row.class_) for row in rows()] == [
        ("a", "Radius"),
        ("a", "Ulna"),
        ("b", "Radius"),
        ("b", "Ulna"),
    ]


def test_rows_name_data_set_n_seed_and_method():
    assert {(row.dataset, row.n, row.seed, row.method) for row in rows()} == {("wrist", 5, 2, "unet")}


def test_a_row_holds_pixel_counts_and_dice():
    row = rows()[0]
    assert (row.reference_px, row.predicted_px, row.dice) == (3, 2, pytest.approx(2 / 5))


def test_a_class_drawn_where_there_is_none_is_seen_in_its_pixels():
    row = rows()[3]
    assert (row.reference_px, row.predicted_px, row.dice) == (0, 4, None)
    assert (row.hd95, row.surface_dice) == (None, None)


def test_masks_and_names_of_different_number_are_an_error():
    with pytest.raises(ValueError, match="longer"):
        dice_rows(
            REFERENCE, PREDICTED, ("a",), ("Radius", "Ulna"), dataset="", n=1, seed=0, method="", tolerance=1
        )


def test_the_columns_are_those_of_the_contract(tmp_path):
    write_dice(tmp_path / "dice.csv", rows())
    first = (tmp_path / "dice.csv").read_text().splitlines()[0]
    first_ones = "dataset,n,seed,method,case,class,reference_px,predicted_px,dice,hd95_px,surface_dice"
    assert first == f"{first_ones},centre_px,probability"
    assert first == ",".join(columns_for("px"))
    in_mm = first_ones.replace("hd95_px", "hd95_mm") + ",centre_mm,probability,reference_mm2,predicted_mm2"
    assert in_mm == ",".join(columns_for("mm"))


def test_scores_are_written_with_six_decimals_and_empty_where_undefined(tmp_path):
    # Contours are 4 + 2√2 and 2 + 2√2 long; the reference's left end, √2 long, is 2 px from the other.
    write_dice(tmp_path / "dice.csv", rows())
    assert (tmp_path / "dice.csv").read_bytes().decode().split("\n") == [
        ",".join(columns_for("px")),
        "wrist,5,2,unet,a,Radius,3,2,0.400000,2.000000,0.878680,1.500000,",
        "wrist,5,2,unet,a,Ulna,0,0,,,,,",
        "wrist,5,2,unet,b,Radius,0,0,,,,,",
        "wrist,5,2,unet,b,Ulna,0,4,,,,,",
        "",
    ]


def test_names_with_commas_and_umlauts_come_back(tmp_path):
    row = DiceRow("d", 1, 0, "unet", 'a,"b"', "Zähne, oben", 1, 1, 1.0, 0.0, 1.0)
    write_dice(tmp_path / "dice.csv", [row])
    with (tmp_path / "dice.csv").open(encoding="utf-8", newline="") as stream:
        (back,) = csv.DictReader(stream)
    assert (back["case"], back["class"]) == ('a,"b"', "Zähne, oben")
