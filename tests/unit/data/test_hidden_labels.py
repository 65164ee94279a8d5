"""A data set in which every case has labels: the numbers worked out, or labels beyond a number hidden."""

from pathlib import Path

import pytest

from samcarry.data.cases import Case
from samcarry.data.hidden_labels import check_numbers, hide_labels
from samcarry.errors import InputError

CASES = [Case(name, name, "train", None, Path(f"{name}.png"), Path(name)) for name in "abcd"]
CASES.append(Case("t", "t", "test", None, Path("t.png"), Path("t")))
ORDER = ["c", "a", "d", "b"]
CLASSES = {case.case: {"lung"} for case in CASES}


def test_cases_beyond_the_first_become_unlabelled_and_keep_their_labels():
    cases, order = hide_labels(CASES, ORDER, 2, CLASSES)
    assert order == ["c", "a"]
    split = {case.case: case.split for case in cases}
    assert split == {"a": "train", "b": "unlabelled", "c": "train", "d": "unlabelled", "t": "test"}
    assert all(case.labels for case in cases)


@pytest.mark.parametrize("most", [None, 4, 9])
def test_without_a_number_or_with_a_large_one_nothing_changes(most):
    assert hide_labels(CASES, ORDER, most, CLASSES) == (CASES, ORDER)


def test_a_class_that_only_hidden_labels_show_is_a_fault():
    with pytest.raises(InputError, match="none of the first 2 training cases shows heart: raise it"):
        hide_labels(CASES, ORDER, 2, CLASSES | {"b": {"heart"}})


def test_no_unlabelled_case_is_noticed_with_the_numbers_worked_out():
    with pytest.raises(InputError) as caught:
        check_numbers("data", CASES, 1, 3, ["ours_r"])
    for part in ("ours_r", "hide_labels_beyond: 3", "3 of the 4", "the other 1 as unlabelled"):
        assert part in str(caught.value)
    with pytest.raises(InputError, match=r"lower n \(all 4 labelled training cases are needed"):
        check_numbers("data", CASES, 4, 4, ["ours_r"])


def test_methods_without_unlabelled_cases_need_none():
    check_numbers("data", CASES, 1, 3, [])
    hidden, _ = hide_labels(CASES, ORDER, 3, CLASSES)
    check_numbers("data", hidden, 1, 3, ["ours_r"])


def test_too_few_labelled_training_cases():
    with pytest.raises(InputError, match="has 4 labelled cases, but the config asks for n = 5: lower n"):
        check_numbers("data", CASES, 5, 5, [])
