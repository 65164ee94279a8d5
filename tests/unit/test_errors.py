"""Errors for users: one line per problem, printable, and not too many or too long."""

import pytest

from samcarry.errors import MAX_LINES, DamagedError, InputError, list_counts, raise_faults, shortlist


def test_an_error_has_one_line_per_problem():
    with pytest.raises(InputError) as caught:
        raise_faults(["a.png: is empty", "b.png: is too large"])
    assert str(caught.value).splitlines() == ["a.png: is empty", "b.png: is too large"]


def test_without_problems_nothing_is_raised():
    raise_faults([])


@pytest.mark.parametrize(("count", "last"), [(MAX_LINES, "fault 49"), (MAX_LINES + 3, "... and 3 more")])
def test_at_most_fifty_problems_are_listed(count, last):
    with pytest.raises(InputError) as caught:
        raise_faults([f"fault {number}" for number in range(count)])
    assert str(caught.value).splitlines()[-1] == last
    assert len(str(caught.value).splitlines()) <= MAX_LINES + 1


@pytest.mark.parametrize("name", ["a\nb.png", "a\r\nb.png"])
def test_a_line_break_in_a_file_name_does_not_add_a_line(name):
    with pytest.raises(InputError) as caught:
        raise_faults([f"{name}: is empty"])
    assert len(str(caught.value).splitlines()) == 1


def test_what_a_terminal_would_obey_is_removed():
    assert str(InputError("a\x1b[31mb\x07c: x")) == "a [31mb c: x"


def test_a_very_long_line_is_cut_in_the_middle():
    text = str(InputError("a" * 700 + "b" * 5000 + "the cure"))
    assert len(text) < 1000
    assert text.startswith("aaa")
    assert text.endswith("the cure")


def test_a_damaged_file_is_named():
    error = DamagedError("results/a.csv", "is truncated")
    assert isinstance(error, InputError)
    assert error.path == "results/a.csv"
    assert str(error) == "results/a.csv: is truncated"


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (list("abcde"), "a, b, c, d, e"), (list("abcdefg"), "a, b, c, d, e and 2 more")],
)
def test_a_long_list_of_names_is_shortened(names, text):
    assert shortlist(names) == text


def test_the_length_of_a_shortlist_can_be_chosen():
    assert shortlist("abc", most=1) == "a and 2 more"


def test_counts_are_sorted_by_name_and_all_are_listed_unless_there_is_a_limit():
    counts = {"points": 1, "box": 2, "line": 3}
    assert list_counts(counts) == "box 2, line 3, points 1"
    assert list_counts(counts, 1) == "box 2 and 2 more"
    assert list_counts({}) == ""
