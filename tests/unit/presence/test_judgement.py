"""The fitted presence step."""

import json

import numpy as np
import pytest

from samcarry.errors import DamagedError
from samcarry.presence.anatomy import find_objects, measure_anatomy
from samcarry.presence.examples import make_example
from samcarry.presence.judgement import (
    FEWEST,
    fit_presence,
    judge,
    presence_as_json,
    read_presence,
    read_presence_file,
    write_presence,
)

LIMITS = {"dice_loss": 0.005, "undecided_loss": 0.02}
CLASSES = ("a", "b", "c", "d")


def draw(rng, there, *, confident=True):
    """Probabilities and labels (4, 20, 40) of a network that also draws absent classes, but faintly."""
    masks = np.zeros((4, 20, 40), bool)
    probabilities = np.zeros(masks.shape, np.uint8)
    for index, one in enumerate(there):
        top, left = 6 + rng.integers(-1, 2), 2 + 10 * index + rng.integers(-1, 2)
        side = 6 if one else rng.integers(2, 5)
        value = rng.integers(200, 250) if one else rng.integers(130, 190)
        probabilities[index, top : top + side, left : left + side] = value if confident else 240
        masks[index, top : top + side, left : left + side] = one
    return probabilities, masks


def cases_of(count, *, seed=0, share=0.3):
    rng = np.random.default_rng(seed)
    return [draw(rng, rng.random(4) > share) for _ in range(count)]


def examples_of(cases, *, own=True):
    anatomy = measure_anatomy([find_objects(masks) for _, masks in cases])
    return [
        make_example(*case, anatomy, fold=1 + index % 3, own=own) for index, case in enumerate(cases)
    ], anatomy


@pytest.fixture(scope="module")
def fitted():
    return fit_presence(*examples_of(cases_of(24)), **LIMITS)


def test_an_example_knows_what_is_drawn_there_and_how_well():
    case = draw(np.random.default_rng(1), [True, False, True, False])
    case[0][2] = 0
    [example], _ = examples_of([case])
    assert example.drawn.tolist() == [True, True, False, True]
    assert example.there.tolist() == [True, False, True, False]
    assert example.dice.tolist() == [1, 0, 0, 0]


def test_absent_classes_are_found_and_present_ones_kept(fitted):
    assert not fitted.fault
    kept, removed = [], []
    for probabilities, masks in cases_of(30, seed=9):
        judged = judge(fitted, probabilities)
        there = masks.any(axis=(1, 2))
        kept += (~judged.absent[there]).tolist()
        removed += judged.absent[~there].tolist()
        assert ((judged.probability >= 0) & (judged.probability <= 1)).all()
        assert not (judged.absent & judged.unsure).any()
    assert np.mean(kept) > 0.98
    assert np.mean(removed) > 0.9


def test_what_is_not_drawn_is_neither_absent_nor_unsure(fitted):
    judged = judge(fitted, np.zeros((4, 20, 40), np.uint8))
    assert not judged.absent.any()
    assert not judged.unsure.any()
    assert (judged.probability < 0.5).all()


def test_the_operating_point_costs_no_more_dice_than_allowed_on_the_folds():
    rng = np.random.default_rng(3)
    there = [rng.random(4) > 0.4 for _ in range(40)]
    cases = [draw(rng, one, confident=False) for one in there]
    examples, anatomy = examples_of(cases)
    lost = {}
    for allowed in (0.0, 0.01, 0.1):
        presence = fit_presence(examples, anatomy, dice_loss=allowed, undecided_loss=allowed)
        judged = [judge(presence, probabilities) for probabilities, _ in cases]
        present = np.concatenate(there)
        lost[allowed] = (np.concatenate([one.absent for one in judged]) & present).sum() / present.sum()
    assert lost[0.0] <= lost[0.01] <= lost[0.1]
    assert lost[0.1] < 0.15


def test_a_missing_mask_costs_nothing_where_it_misses():
    cases = cases_of(24)
    examples, anatomy = examples_of(cases)
    for example in examples:
        example.dice[:] = 0
    presence = fit_presence(examples, anatomy, dice_loss=0.0, undecided_loss=0.0)
    removed = sum(judge(presence, probabilities).absent.sum() for probabilities, _ in cases)
    present = sum(masks.any(axis=(1, 2)).sum() for _, masks in cases)
    assert removed > 4 * len(cases) - present


def test_undecided_classes_are_between_the_two_limits():
    examples, anatomy = examples_of(cases_of(24))
    presence = fit_presence(examples, anatomy, dice_loss=0.0, undecided_loss=0.3)
    assert presence.absent_below < presence.sure_above
    judged = [judge(presence, probabilities) for probabilities, _ in cases_of(24)]
    assert any(one.unsure.any() for one in judged)


def test_the_limits_do_not_swap():
    presence = fit_presence(*examples_of(cases_of(24)), dice_loss=0.3, undecided_loss=0.0)
    assert presence.absent_below == presence.sure_above


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_too_few_absences_are_reported_and_all_classes_kept(share):
    cases = cases_of(12, share=share)
    presence = fit_presence(*examples_of(cases), **LIMITS)
    assert f"needs {FEWEST} of each" in presence.fault
    for probabilities, _ in cases:
        judged = judge(presence, probabilities)
        assert not judged.absent.any()
        assert not judged.unsure.any()
        assert judged.probability == pytest.approx(probabilities.max(axis=(1, 2)) / 255)


def test_no_example_at_all_is_reported():
    _, anatomy = examples_of(cases_of(2))
    presence = fit_presence([], anatomy, **LIMITS)
    assert "0 masks of absent classes" in presence.fault
    assert "in 0 labelled cases" in presence.fault


def test_a_network_of_a_fold_may_have_another_level():
    """The folds' networks are less sure: the level of the network itself decides."""
    rng = np.random.default_rng(5)
    folds, own = [], []
    for index in range(40):
        probabilities, masks = draw(rng, rng.random(4) > 0.4)
        if index % 2:
            own.append((probabilities, masks))
        else:
            folds.append(
                (
                    np.where(probabilities > 127, probabilities - (probabilities - 128) // 2, 0).astype(
                        np.uint8
                    ),
                    masks,
                )
            )
    anatomy = measure_anatomy([find_objects(masks) for _, masks in folds])
    examples = [
        make_example(*case, anatomy, fold=1 + index % 3, own=mine)
        for mine, cases in ((False, folds), (True, own))
        for index, case in enumerate(cases)
    ]
    presence = fit_presence(examples, anatomy, **LIMITS)
    judged = [(judge(presence, probabilities).absent, masks.any(axis=(1, 2))) for probabilities, masks in own]
    right = np.concatenate([absent == ~there for absent, there in judged])
    assert right.mean() > 0.9


def test_a_file_holds_every_bit(fitted, tmp_path):
    path = tmp_path / "presence.json"
    write_presence(path, fitted, CLASSES)
    again = read_presence_file(path, CLASSES)
    assert presence_as_json(again) == presence_as_json(fitted)
    for probabilities, _ in cases_of(5, seed=4):
        one, other = judge(fitted, probabilities), judge(again, probabilities)
        assert one.probability.tobytes() == other.probability.tobytes()
        assert one.absent.tolist() == other.absent.tolist()
    first = path.read_bytes()
    write_presence(path, again, CLASSES)
    assert path.read_bytes() == first


def test_equal_examples_give_equal_fits(fitted):
    assert presence_as_json(fit_presence(*examples_of(cases_of(24)), **LIMITS)) == presence_as_json(fitted)


def test_a_judgement_that_could_not_be_fitted_is_kept_with_its_fault(tmp_path):
    presence = fit_presence(*examples_of(cases_of(2)), **LIMITS)
    write_presence(tmp_path / "presence.json", presence, CLASSES)
    assert read_presence_file(tmp_path / "presence.json", CLASSES).fault == presence.fault


@pytest.mark.parametrize("cut", [0, 1, 40, 1000])
def test_a_truncated_file_is_reported(fitted, tmp_path, cut):
    path = tmp_path / "presence.json"
    write_presence(path, fitted, CLASSES)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DamagedError, match=r"presence\.json"):
        read_presence_file(path, CLASSES)


def test_a_file_for_other_classes_is_refused(fitted, tmp_path):
    write_presence(tmp_path / "presence.json", fitted, CLASSES)
    with pytest.raises(DamagedError, match="other classes"):
        read_presence_file(tmp_path / "presence.json", CLASSES[::-1])


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("version",), 2),
        (("evidence",), ["probability"]),
        (("weight",), [1.0]),
        (("weight",), [float("nan")] * 7),
        (("scale",), [0.0] * 7),
        (("scale",), None),
        (("fault",), None),
        (("intercept",), "much"),
        (("anatomy",), None),
        (("anatomy", "area"), [1.0]),
        (("anatomy", "area_spread"), [0.0] * 4),
        (("anatomy", "centre"), [[float("inf"), 0.0]] * 4),
        (("anatomy", "together"), [[1, 2], [3]]),
        (("anatomy", "cases"), "many"),
    ],
)
def test_damaged_values_are_refused(fitted, tmp_path, place, value):
    entry = json.loads(json.dumps({"classes": CLASSES, **presence_as_json(fitted)}))
    inner = entry
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (tmp_path / "presence.json").write_text(json.dumps(entry))
    with pytest.raises(DamagedError, match="this presence step is damaged"):
        read_presence_file(tmp_path / "presence.json", CLASSES)
    del inner[place[-1]]
    with pytest.raises((KeyError, ValueError, TypeError)):
        read_presence(entry, 4)
