"""The records of the methods, and the paper's figures in them."""

from dataclasses import replace

import pytest

from samcarry.errors import InputError
from samcarry.methods import (
    BEYOND,
    GROUPS,
    METHOD_IDS,
    METHODS,
    PAIRS,
    STUDIES,
    TUNING_STUDIES,
    PseudoLabels,
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
    """A SAM tuned on X^n is asked as configured: the study asks the SAM that it started from."""
    labels = method.pseudo_labels.folder if method.pseudo_labels else method.masks
    *folder, last = labels.split("/")
    if last == "refined":
        as_in_the_paper = {"": "sam", "round2": "sam", "tolerant": "sam", "medsam": "medsam"}
        study = as_in_the_paper.get("/".join(folder), "zoom")
        assert method.asks == (study,)
        assert method.tuned_by == (None if method.asks_tuned_sam else study)


def test_the_rows_on_crops_come_first_among_those_beyond_the_paper():
    beyond = [method.id for method in METHODS if method.group == BEYOND]
    assert beyond[:4] == ["unet_sam_zoom", "ours_r_zoom", "unet_sam_adapted", "ours_r_adapted"]


def test_the_recommended_recipe_goes_on_from_fixmatch_with_refined_masks_and_half_of_each_batch_labelled():
    best = method_of("ours_best")
    assert best.name == "samcarry"
    assert best.pseudo_labels == PseudoLabels(
        "best/refined", with_labels=True, balanced=True, unweighted=True, start="fixmatch"
    )


LEAVE_ONE_OUT = {
    "best_untuned_sam": {"folder": "best_untuned/refined"},
    "best_no_sam": {"folder": "fixmatch/probabilities"},
    "best_from_f_theta": {"folder": "adapted/refined", "start": "f_theta"},
    "best_strong_views": {"strong": True},
    "best_weighted": {"unweighted": False},
    "best_no_labels": {"with_labels": False, "balanced": False},
    "best_unbalanced": {"balanced": False},
    "best_agreed": {"agreed_with": "fixmatch/probabilities"},
    "best_presence": {"folder": "best/judged", "weights": "best/judged"},
    "best_round2": {"folder": "best_again/refined", "start": "best/f_phi"},
}


def test_the_rows_that_leave_out_a_part_of_the_recipe_follow_it():
    ids = list(METHOD_IDS)
    start = ids.index("ours_best_sam") + 1
    assert ids[start : start + len(LEAVE_ONE_OUT)] == list(LEAVE_ONE_OUT)
    assert [id for id in ids if id.startswith("best_")] == list(LEAVE_ONE_OUT)


@pytest.mark.parametrize(("method", "changes"), LEAVE_ONE_OUT.items(), ids=LEAVE_ONE_OUT)
def test_each_of_these_rows_leaves_out_one_part(method, changes):
    recipe = method_of("ours_best").pseudo_labels
    assert recipe is not None
    assert method_of(method).pseudo_labels == replace(recipe, **changes)
    assert method_of(method).description.startswith("`ours_best` ")


def test_the_recipe_without_sam_needs_none():
    assert [m.id for m in METHODS if m.id.startswith("best_") and not m.asks] == ["best_no_sam"]
    assert method_of("best_no_sam").tuned_by is None


def test_only_parts_of_the_recipe_see_strong_views_and_an_unweighted_loss():
    for method in METHODS:
        learns_from = method.pseudo_labels
        if learns_from and (learns_from.strong or learns_from.unweighted or learns_from.balanced):
            assert method.id in ("ours_best", "ours_best_distilled") or method.id in LEAVE_ONE_OUT


@pytest.mark.parametrize("method", METHODS, ids=METHOD_IDS)
def test_labelled_cases_make_up_half_of_a_batch_only_where_they_are_learned_from(method):
    learns_from = method.pseudo_labels
    assert learns_from is None or learns_from.with_labels or not learns_from.balanced


@pytest.mark.parametrize("method", METHODS, ids=METHOD_IDS)
def test_weights_of_cases_and_pasted_boxes_are_not_combined(method):
    """The weights of a case would not be those of a box that is pasted into it."""
    learns_from = method.pseudo_labels
    assert learns_from is None or not (learns_from.weights and learns_from.strong)


def test_a_start_is_the_network_of_a_method():
    starts = {m.pseudo_labels.start for m in METHODS if m.pseudo_labels} - {""}
    assert {method_of_network(start).id for start in starts} == {"unet", "fixmatch", "ours_best"}


@pytest.mark.parametrize("method", ["unet", "ours_r", "ours_best"])
def test_the_presence_step_judges_the_network_of_a_row(method):
    plain, judged = method_of(method), method_of(f"{method}_present")
    assert judged.judged == plain.network
    assert judged.predictions == f"{plain.network}/present"
    assert (judged.asks, judged.tuned_by) == (plain.asks, plain.tuned_by)
    assert judged.trained == judged.network == ""
    assert plain.judged == ""


def test_the_methods_with_a_tuned_sam_are_known():
    assert [method.id for method in METHODS if method.asks_tuned_sam] == [
        "unet_sam_adapted",
        "ours_r_adapted",
        "fixmatch_sam_adapted",
        "ours_best",
        "ours_best_sam",
        "best_from_f_theta",
        "best_strong_views",
        "best_weighted",
        "best_no_labels",
        "best_unbalanced",
        "best_agreed",
        "best_presence",
        "best_round2",
        "ours_best_ensemble",
        "ours_best_distilled",
        "ours_best_present",
    ]


@pytest.mark.parametrize("method", ["unet_full", "ours_r_weighted", "fixmatch"])
def test_full_supervision_and_methods_beyond_the_paper_are_not_rows_of_the_paper(method):
    assert not method_of(method).in_paper


def test_every_method_is_tuned_by_a_study_that_exists():
    assert {method.tuned_by for method in METHODS} - {None} == set(TUNING_STUDIES)


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


def test_the_row_of_equal_length_differs_from_ours_in_its_length_only():
    ours, equal = (method_of(method) for method in ("ours_r", "ours_r_equal"))
    assert ours.pseudo_labels is not None
    assert equal.pseudo_labels == replace(ours.pseudo_labels, equal_length=True)
    assert (equal.asks, equal.tuned_by) == (ours.asks, ours.tuned_by)


def test_only_the_row_of_equal_length_is_exempt_from_the_length_of_second_trainings():
    exempt = [method.id for method in METHODS if method.pseudo_labels and method.pseudo_labels.equal_length]
    assert exempt == ["ours_r_equal"]


def test_figures_of_cases_show_few_methods_the_final_one_last():
    assert shown_side_by_side(METHOD_IDS) == ["unet", "mean_teacher", "ours_r", "ours_best"]
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


def test_a_method_with_a_training_of_its_own_names_its_folder():
    trained = {method.id: method.trained for method in METHODS}
    assert (trained["unet"], trained["ours_best"]) == ("f_theta", "best/f_phi")
    assert (trained["nnunet_bce"], trained["nnunet"], trained["sam_lraspp"]) == (
        "nnunet",
        "nnunet_default",
        "lraspp",
    )
    assert {trained[method] for method in ("unet_sam", "unet_random_walk", "ours_best_sam")} == {""}


def test_ensembles_have_one_row_for_all_seeds_and_no_training_of_their_own():
    of = {method.id: method.ensemble_of for method in METHODS if method.ensemble_of}
    assert of == {"unet_ensemble": "f_theta", "ours_best_ensemble": "best/f_phi"}
    for id, folder in of.items():
        assert method_of(id).trained == ""
        assert method_of_network(folder)
        assert method_of(id).predictions == f"ensemble/{folder}/probabilities"
    assert [method.id for method in METHODS if method.pseudo_labels and method.pseudo_labels.soft] == [
        "ours_best_distilled"
    ]
