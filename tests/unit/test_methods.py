"""The records of the methods, and the paper's figures in them."""

import pytest

from samcarry.errors import InputError
from samcarry.methods import (
    GROUPS,
    METHOD_IDS,
    METHODS,
    PAIRS,
    STUDIES,
    in_order,
    method_of,
    method_of_network,
    paper_figures,
    shown_side_by_side,
)

IN_THE_PAPER = [
    "nnunet_bce",
    "sam_lraspp",
    "unet",
    "unet_sam",
    "unet_medsam",
    "unet_random_walk",
    "mean_teacher",
    "mean_teacher_sam",
    "ours_p",
    "ours_r",
]


def test_the_methods_of_the_paper_come_first_and_in_its_order():
    assert list(METHOD_IDS[:10]) == IN_THE_PAPER
    assert [method.id for method in METHODS if method.in_paper] == IN_THE_PAPER


def test_ids_and_names_are_unique():
    assert len(set(METHOD_IDS)) == len({method.name for method in METHODS}) == len(METHODS)


def test_the_methods_of_a_group_are_neighbours():
    assert list(dict.fromkeys(method.group for method in METHODS)) == list(GROUPS)
    ranks = [GROUPS.index(method.group) for method in METHODS]
    assert ranks == sorted(ranks)


def test_every_method_has_one_place_for_its_predictions():
    assert all(bool(method.network) != bool(method.masks) for method in METHODS)
    places = {(method.needs_hidden_labels, method.predictions) for method in METHODS}
    assert len(places) == len(METHODS)


@pytest.mark.parametrize("method", METHODS, ids=METHOD_IDS)
def test_who_learns_from_masks_that_sam_refined_needs_sam_and_its_tuning(method):
    labels = method.pseudo_labels.folder if method.pseudo_labels else method.masks
    if labels.endswith("refined") and "medsam" not in labels:
        assert method.asks == ("sam",)
        assert method.tuned_by == "sam"


@pytest.mark.parametrize("method", ["unet_full", "ours_r_weighted", "fixmatch"])
def test_full_supervision_and_methods_beyond_the_paper_are_not_rows_of_the_paper(method):
    assert not method_of(method).in_paper


def test_the_pairs_of_a_summary_are_methods():
    assert {method for pair in PAIRS for method in pair} <= set(METHOD_IDS)


def test_ids_are_put_in_order_each_once():
    assert in_order(["unet_full", "ours_r", "unet", "ours_r"]) == ["unet", "ours_r", "unet_full"]


def test_an_unknown_method_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"'unet_sma' is not known; choose from nnunet_bce, .*unet_full"):
        in_order(["unet", "unet_sma"])


def test_a_network_belongs_to_the_method_of_its_folder():
    assert method_of_network("f_theta").id == "unet"
    assert method_of_network("f_theta", full=True).id == "unet_full"
    assert method_of_network("round2/f_phi").id == "ours_r_round2"
    with pytest.raises(InputError, match="f_psi"):
        method_of_network("f_psi")


def test_figures_of_cases_show_few_methods_the_final_one_last():
    assert shown_side_by_side(METHOD_IDS) == ["unet", "mean_teacher", "ours_r"]
    assert shown_side_by_side(["ours_p", "unet_sam"]) == ["ours_p"]


@pytest.mark.parametrize("study", STUDIES)
def test_the_paper_has_a_figure_for_each_of_its_methods(study):
    assert [method for method in paper_figures(study) if method != "unet_full"] == IN_THE_PAPER


@pytest.mark.parametrize(
    ("study", "method", "expected"),
    [
        ("wrist", "ours_r", (84.2, 8.0)),
        ("wrist", "mean_teacher_sam", (68.3, 23.3)),
        ("teeth", "unet_sam", (75.8, 12.2)),
        ("teeth", "unet_full", (74.19, 8.59)),
    ],
)
def test_figures_are_those_printed_in_the_paper(study, method, expected):
    assert paper_figures(study)[method] == expected


def test_the_paper_has_full_supervision_for_teeth_only():
    assert "unet_full" not in paper_figures("wrist")


def test_other_data_have_no_figures_in_the_paper():
    assert paper_figures(None) == {}


def test_a_study_that_the_paper_does_not_have_is_an_error():
    with pytest.raises(InputError, match="'hips' is not one of the paper's studies; choose wrist or teeth"):
        paper_figures("hips")
