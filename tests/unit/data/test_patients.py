"""Which spellings mean one patient, and when names of images show patients in two splits."""

import pytest

from samcarry.data.patients import (
    Placed,
    one_spelling,
    patient_key,
    patients_in_names,
    similar_key,
    similar_patients,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("P1", "p1"),
        ("M\u00fcller", "Mu\u0308ller"),
        ("Anna  B", " Anna B"),
        ("Anna\u00a0B", "Anna B"),
        ("P\u200b1", "P1"),
        ("12", "12.0"),
        ("12", "12.00"),
        ("\uff11\uff12", "12"),
        ("STRASSE", "stra\u00dfe"),
    ],
)
def test_these_spellings_surely_mean_one_patient(one, other):
    assert patient_key(one) == patient_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("0012", "12"), ("P012", "P12"), ("P-12", "P_12"), ("P 12", "P12"), ("a.b", "a b"), ("p001", "P-1")],
)
def test_these_spellings_may_mean_one_patient(one, other):
    assert patient_key(one) != patient_key(other)
    assert similar_key(one) == similar_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12", "120"),
        ("10", "1"),
        ("P1", "P11"),
        ("a", "b"),
        ("1-2", "12"),
        ("12.5", "12"),
        ("0", ""),
        ("200", "2"),
    ],
)
def test_these_are_two_patients(one, other):
    assert similar_key(one) != similar_key(other)


def test_the_first_spelling_stands_for_all():
    assert one_spelling(["p1", "P1", "x"]) == {"p1": "P1", "P1": "P1", "x": "x"}


def test_similar_patients_are_reported_if_one_is_held_out():
    cases = [
        Placed("a", "0012", "train"),
        Placed("b", "12", "test"),
        Placed("c", "7", "train"),
        Placed("d", "07", "unlabelled"),
        Placed("e", "8", "val"),
        Placed("f", "08", "val"),
        Placed("g", "08", "unlabelled"),
    ]
    assert [{one.case, other.case} for one, other in similar_patients(cases)] == [{"a", "b"}, {"e", "g"}]


def test_one_spelling_in_two_splits_is_not_a_similar_one():
    assert similar_patients([Placed("a", "P1", "train"), Placed("b", "p1", "test")]) == []


def placed(names, splits):
    return [Placed(name, name, split) for name, split in zip(names, splits, strict=True)]


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["P000_left", "P000_right", "P001_left"], ["P000", "P000", "P001"]),
        (["P000_1", "P000_2", "P001_1"], ["P000", "P000", "P001"]),
        (["P000-1", "P000-2", "P001-1"], ["P000", "P000", "P001"]),
        (["12 ap", "12 lat", "13 ap"], ["12", "12", "13"]),
        (["P000L", "P000R", "P001L"], ["P000", "P000", "P001"]),
        (["P000", "P000_right", "P001"], ["P000", "P000", "P001"]),
        (["left_P000", "right_P000", "left_P001"], ["P000", "P000", "P001"]),
        (["0025_048_01_WRI-L1", "0025_049_02_WRI-L1", "0184_0953_01_WRI-R1"], ["0025", "0025", "0184"]),
        (["1.2.840.1.7.1", "1.2.840.1.7.2", "1.2.841.1.8.1"], ["1.2.840", "1.2.840", "1.2.841"]),
    ],
)
def test_several_images_of_a_patient_are_seen_in_the_names(names, patients):
    import re

    pattern, leaks = patients_in_names(placed(names, ["train", "test", "train"]))
    assert [re.search(pattern, name)[1] for name in names] == patients
    assert [[case.case for case in pair] for pair in leaks] == [names[:2]]


@pytest.mark.parametrize(
    "names",
    [
        [f"IMG_{number:04}" for number in range(40)],
        [f"{number}" for number in range(40)],
        [f"cate{group}-{number:05}" for group in (1, 10) for number in range(20)],
        [f"case{number:03}" for number in range(40)],
        [f"{number * 7919 % 65536:04x}" for number in range(40)],
    ],
)
def test_other_names_are_no_patients(names):
    assert patients_in_names(placed(names, ["train", "test"] * (len(names) // 2))) is None


def test_images_of_a_site_are_no_patient_but_those_of_a_patient_within_a_site_are():
    names = [f"site{site}_P{number:03}_{view}" for site in (1, 2) for number in range(20) for view in "ab"]
    pattern, leaks = patients_in_names(placed(names, ["train", "test"] * 40))
    assert len(leaks) == 40
    assert pattern == "^([^_]+(?:[_][^_]+){0,1})"


def test_one_split_is_no_leak_and_neither_are_train_and_unlabelled():
    assert patients_in_names(placed(["P0_1", "P0_2", "P1_1"], ["test", "test", "train"])) is None
    assert patients_in_names(placed(["P0_1", "P0_2", "P1_1"], ["train", "unlabelled", "test"])) is None
    assert patients_in_names([]) is None
