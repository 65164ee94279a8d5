"""The table of methods, and the paper's figures for them."""

import ast
import sys

import pytest

from samcarry.errors import InputError
from samcarry.methods import METHOD_IDS, METHODS, STUDIES, SUPERVISION, in_order, method_of, paper_figures
from support.paths import SCRIPTS

IN_THE_PAPER = [
    "nnunet_bce", "sam_lraspp", "unet", "unet_sam", "unet_medsam", "unet_random_walk", "mean_teacher",
    "mean_teacher_sam", "ours_p", "ours_r",
]  # fmt: skip


def test_the_methods_of_the_paper_come_first_and_in_its_order():
    assert list(METHOD_IDS[:10]) == IN_THE_PAPER
    assert [method.id for method in METHODS if method.in_paper] == IN_THE_PAPER


def test_ids_and_names_are_each_one_methods():
    assert len(set(METHOD_IDS)) == len({method.name for method in METHODS}) == len(METHODS)


def test_methods_stand_together_by_supervision():
    groups = list(dict.fromkeys(method.supervision for method in METHODS))
    assert groups == list(SUPERVISION)
    ranks = [SUPERVISION.index(method.supervision) for method in METHODS]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("method", ["unet_full", "ours_r_weighted", "fixmatch"])
def test_full_supervision_and_what_goes_beyond_are_no_rows_of_the_paper(method):
    assert not method_of(method).in_paper


def test_ids_are_put_in_order_each_once():
    assert in_order(["unet_full", "ours_r", "unet", "ours_r"]) == ["unet", "ours_r", "unet_full"]


def test_an_unknown_method_is_named_with_what_there_is():
    with pytest.raises(InputError, match=r"'unet_sma' is not known; choose from nnunet_bce, .*unet_full"):
        in_order(["unet", "unet_sma"])


def test_the_snakefile_can_import_the_table_with_the_standard_library_alone():
    folder = SCRIPTS / "samcarry"
    for name in ("methods", "errors"):
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for imported in names:
                top = imported.split(".")[0]
                assert top in sys.stdlib_module_names or imported == "samcarry.errors"


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


def test_the_paper_tells_of_full_supervision_on_teeth_alone():
    assert "unet_full" not in paper_figures("wrist")


def test_other_data_have_no_figures_in_the_paper():
    assert paper_figures(None) == {}


def test_a_study_that_the_paper_does_not_have_is_an_error():
    with pytest.raises(InputError, match="'hips' is none of the paper's studies; choose wrist or teeth"):
        paper_figures("hips")
