"""Table 1 as CSV, Markdown and LaTeX, from rows whose means are easy to see."""

import csv
import re

import pandas as pd
import pytest

from samcarry.evaluation.table1 import TABLE1_COLUMNS, escape, tabulate, to_markdown, to_tex, write_statistics

NAN = float("nan")


def rows(**methods):
    """Dice of two cases for each method; case b lacks the Ulna, which a method in CAPITALS draws there."""
    table = []
    for method, (first, second) in methods.items():
        name = method.lower()
        for case, dice in (("a", first), ("b", second)):
            table.append(("my_data", 5, 0, name, case, "Radius", 9, 9, dice, 10 * (1 - dice), dice / 2))
        table.append(("my_data", 5, 0, name, "b", "Ulna", 0, 3 * method.isupper(), *[float("nan")] * 3))
    columns = "dataset n seed method case class reference_px predicted_px dice hd95_px surface_dice"
    return pd.DataFrame(table, columns=columns.split())


# Means: unet 50, ours_p 60, ours_r 70, fixmatch 80, unet_full 90.
ROWS = rows(OURS_R=(0.6, 0.8), unet=(0.4, 0.6), ours_p=(0.6, 0.6), fixmatch=(0.8, 0.8), unet_full=(0.9, 0.9))
METHODS = ["unet_full", "fixmatch", "ours_r", "ours_p", "unet"]


def made(frame=ROWS, methods=METHODS, missing=None, notes=None, paper=None, not_converged=None):
    given = {"missing": missing or {}, "notes": notes or {}, "paper": paper or {}}
    return tabulate(frame, methods, **given, not_converged=not_converged)


def markdown(*arguments, split="test", **settings):
    return to_markdown(made(*arguments, **settings), split, 2)


def tex(*arguments, split="test", **settings):
    return to_tex(made(*arguments, **settings), split, 2)


def line_of(text, name):
    (line,) = [line for line in text.splitlines() if name in line]
    return line


def cells_of(text, method):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line_of(text, f"`{method}`"))[1:-1]]


# ---- the figures ----------------------------------------------------------------------------


def test_methods_are_in_the_papers_order_with_their_supervision():
    table = made()
    assert list(zip(table["supervision"], table["method"], strict=True)) == [
        ("fully", "unet"),
        ("pseudo", "ours_p"),
        ("pseudo", "ours_r"),
        ("beyond the paper", "fixmatch"),
        ("all labels", "unet_full"),
    ]


def test_figures_are_those_of_the_rows_in_percent():
    row = made().set_index("method").loc["ours_r"]
    assert (row["n"], row["seeds"], row["cases"]) == (5, 1, 2)
    assert (row["mean"], row["std"]) == (pytest.approx(70), pytest.approx(100 * 0.02**0.5))
    assert (row["hd95"], row["surface_dice"]) == (pytest.approx(3), pytest.approx(35))
    assert row["false_positives"] == 100


def test_a_method_that_cannot_be_run_is_a_row_with_its_reason():
    row = made(missing={"unet_medsam": "no weights"}).set_index("method").loc["unet_medsam"]
    assert (row["seeds"], row["cases"], row["missing"]) == (0, 0, "no weights")
    assert pd.isna(row["mean"])


def test_a_configured_method_without_rows_is_a_row_that_says_so():
    row = made(methods=[*METHODS, "mean_teacher"]).set_index("method").loc["mean_teacher"]
    assert row["missing"] == "not in dice.csv"


def test_a_reason_does_not_hide_figures_that_are_there():
    row = made(missing={"unet": "no weights"}).set_index("method").loc["unet"]
    assert (row["mean"], row["missing"]) == (pytest.approx(50), "")


def test_the_csv_starts_with_the_columns_of_the_contract(tmp_path):
    write_statistics(tmp_path / "table1.csv", made(missing={"unet_medsam": "no weights"}))
    with (tmp_path / "table1.csv").open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert ",".join(list(found[0])[:8]) == "dataset,supervision,method,n,seeds,cases,mean,std"
    assert list(found[0])[: len(TABLE1_COLUMNS)] == list(TABLE1_COLUMNS)
    assert [(row["method"], row["n"], row["seeds"], row["mean"]) for row in found[:2]] == [
        ("unet", "5", "1", "50"),
        ("unet_medsam", "5", "0", ""),
    ]


def test_small_p_values_survive_being_written(tmp_path):
    write_statistics(tmp_path / "p.csv", pd.DataFrame({"p": [1.23456789e-9]}))
    assert (tmp_path / "p.csv").read_text() == "p\n1.23457e-09\n"


def test_the_papers_figures_stand_beside_ours():
    table = made(paper={"unet": (74.3, 14.4)}, missing={"nnunet_bce": "off"}).set_index("method")
    assert (table["paper_mean"]["unet"], table["paper_std"]["unet"]) == (74.3, 14.4)
    assert pd.isna(table["paper_mean"]["ours_r"])


def test_without_figures_in_the_paper_there_is_no_such_column():
    assert "paper_mean" not in made()
    assert "paper" not in markdown().splitlines()[2]


# ---- Markdown -------------------------------------------------------------------------------


def test_a_row_holds_name_scores_counts_and_id():
    group, name, *scores, rank, seeds, cases, patients, method_id = cells_of(markdown(), "unet")
    assert (group, name, method_id) == ("fully", "U-Net (f_θ)", "`unet`")
    assert (rank, seeds, cases, patients) == ("4", "1", "2", "2")
    assert scores == ["50.0 ± 14.1", "–", "5.0 ± 1.4", "25.0 ± 7.1", "**0.0**"]


def test_the_best_of_the_papers_methods_is_bold_whether_most_or_least_is_best():
    dice, _, distance, surface, false_positives = cells_of(markdown(), "ours_r")[2:7]
    assert (dice, distance, surface) == ("**70.0 ± 14.1**", "**3.0 ± 1.4**", "**35.0 ± 7.1**")
    assert false_positives == "100.0"


@pytest.mark.parametrize("method", ["fixmatch", "unet_full"])
def test_better_rows_that_are_not_the_papers_are_never_bold(method):
    assert not any("**" in cell for cell in cells_of(markdown(), method))


def test_ties_are_all_bold_also_where_only_the_printed_figures_are_equal():
    text = markdown(rows(unet=(0.5, 0.7), ours_r=(0.5, 0.7001)), ["unet", "ours_r"])
    assert [cells_of(text, method)[2][:6] for method in ("unet", "ours_r")] == ["**60.0", "**60.0"]


def test_supervision_is_named_once_a_group():
    assert [cells_of(markdown(), method)[0] for method in ("ours_p", "ours_r")] == ["pseudo", ""]


def test_an_empty_row_is_the_rule_above_what_is_not_the_papers():
    lines = markdown().splitlines()
    rules = [place for place, line in enumerate(lines) if re.fullmatch(r"[| ]+", line)]
    assert [lines[place + 1].count("FixMatch") for place in rules] == [1]


def test_a_row_without_figures_says_why():
    cells = cells_of(markdown(missing={"unet_medsam": "no weights | none"}), "unet_medsam")
    assert cells[2] == r"n/a: no weights \| none"
    assert cells[3:7] == ["–"] * 4


def test_a_long_reason_does_not_widen_the_column():
    plain, long = markdown(missing={"sam_lraspp": "x"}), markdown(missing={"sam_lraspp": "x" * 90})
    assert plain.splitlines()[2] == long.splitlines()[2]


def test_every_line_of_the_table_has_as_many_cells_as_its_head_and_lines_up():
    lines = [line for line in markdown().splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert len({len(line) for line in lines}) == 1


def test_notes_are_numbered_and_shared():
    notes = {"unet": "Tiny.", "ours_r": "Other.", "ours_p": "Tiny."}
    text = markdown(notes=notes)
    assert [cells_of(text, method)[1][-1] for method in notes] == ["¹", "²", "¹"]
    assert text.endswith("\n\n¹ Tiny.\n\n² Other.\n")


def test_the_caption_explains_the_figures():
    text = markdown()
    for part in ("n = 5", "2 cases of the test split", "one seed", "within 2 px", "never bold", "diagonal"):
        assert part in text


def test_the_caption_mentions_rows_beyond_the_paper_only_if_there_are_some():
    assert "beyond the paper" not in markdown(methods=["unet", "ours_r"])


def test_the_caption_says_if_methods_were_not_evaluated_on_test():
    assert "no test case: methods are evaluated on val" in markdown(split="val")


def test_nothing_undefined_is_printed_as_nan():
    frame = rows(unet=(0.5, 0.6))
    alone = frame[(frame["case"] == "a")]
    for text in (markdown(alone, ["unet", "ours_r"]), tex(alone, ["unet", "ours_r"])):
        assert "nan" not in text


# ---- LaTeX ----------------------------------------------------------------------------------


def test_figures_are_mathematics_with_the_best_mean_bold():
    assert r"& $\mathbf{70.0} \pm 14.1$ &" in line_of(tex(), "w/ SAM (")
    assert r"$50.0 \pm 14.1$" in line_of(tex(), "$f_\\theta$")
    assert "mathbf" not in line_of(tex(), "FixMatch")


def test_the_papers_symbols_are_set_as_there():
    assert r"U-Net ($f_\theta$)" in tex()
    assert r"ours w/ SAM ($\mathcal{R}$)" in tex()


def test_every_row_has_as_many_cells_as_the_table_has_columns():
    text = tex(missing={"unet_medsam": "R&D only"}, notes={"unet": "100 % & more"}, paper={"unet": (1, 2)})
    columns = len(re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1])
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    found = [len(re.findall(r"(?<!\\)&", line)) for line in body.splitlines() if line.endswith(r"\\")]
    assert len(found) == 7
    assert set(found) == {columns - 1}


def test_braces_and_environments_are_balanced_and_all_is_ascii():
    text = tex(notes={"unet": "f_θ, {100 %} × 2 – ± φ"})
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert re.findall(r"\\begin\{(\w+)\}", text) == re.findall(r"\\end\{(\w+)\}", text)[::-1]
    assert text.isascii()


def test_rules_are_booktabs_with_one_between_two_groups():
    text = tex()
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 4, 1]
    assert "hline" not in text


def test_reasons_and_notes_are_footnotes():
    text = tex(missing={"unet_medsam": "R&D"}, notes={"unet": "Tiny."})
    assert r"U-Net ($f_\theta$)\textsuperscript{1} &" in text
    assert r"n/a\textsuperscript{2} &" in line_of(text, "U-Net + MedSAM")
    assert text.index(r"\textsuperscript{1}\,Tiny.\\") < text.index(r"\textsuperscript{2}\,n/a: R\&D")
    assert text.index(r"\end{tabular}") < text.index("Tiny.")


def test_the_data_sets_name_is_escaped_in_text_and_plain_in_the_label():
    text = tex()
    assert r"\caption{my\_data, n = 5" in text
    assert r"\label{tab:results-my-data}" in text


def test_special_characters_are_escaped_once():
    assert escape(r"50 % & $1 #2 _x_ {y} ~ ^ \z") == (
        r"50 \% \& \$1 \#2 \_x\_ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}z"
    )


# ---- intervals, ranks, and what has not converged ---------------------------------------------------

EIGHT = [0.81, 0.72, 0.9, 0.65, 0.88, 0.77, 0.7, 0.85]


def eight_cases():
    table = [
        ("my_data", 5, 0, method, f"case {k}", "Radius", 9, 9, dice - less, 10 * (1 - dice), dice / 2)
        for method, less in (("unet", 0.1), ("ours_r", 0))
        for k, dice in enumerate(EIGHT)
    ]
    return pd.DataFrame(table, columns=list(ROWS.columns))


def test_means_are_followed_by_their_interval_if_there_are_enough_patients():
    text = markdown(eight_cases(), ["unet", "ours_r"])
    assert re.fullmatch(r"\*\*78\.5 ± 9\.0 \(7\d\.\d to 8\d\.\d\)\*\*", cells_of(text, "ours_r")[2])
    assert "In brackets: the 95 % interval of the mean, by patient (Student's t, 8 patients)." in text
    assert re.search(
        r"\$\\mathbf\{78\.5\} \\pm 9\.0\$ \(7\d\.\d to 8\d\.\d\)", tex(eight_cases(), ["unet", "ours_r"])
    )


def test_with_few_patients_the_caption_says_why_there_is_no_interval():
    assert "Means have no interval, because there are fewer than 6 patients (2)." in markdown()
    assert "to" not in cells_of(markdown(), "ours_r")[2]


def test_a_method_that_has_not_converged_has_a_note_no_rank_and_no_bold_figure():
    table = made(notes={"ours_r": "A note"}, not_converged={"ours_r": "not converged: cut"}, missing={})
    row = table.set_index("method").loc["ours_r"]
    assert row["note"] == "A note; not converged: cut"
    assert pd.isna(row["rank"])
    text = to_markdown(table, "test", 2)
    assert "**" not in line_of(text, "`ours_r`")
    assert cells_of(text, "ours_p")[2] == "**60.0 ± 0.0**"
    assert cells_of(text, "ours_r")[7] == "–"


def test_ranks_are_by_mean_dice_and_full_supervision_has_none():
    table = made(missing={"unet_medsam": "no weights"}).set_index("method")
    assert table["rank"].dropna().to_dict() == {"fixmatch": 1, "ours_r": 2, "ours_p": 3, "unet": 4}
    assert cells_of(markdown(), "unet_full")[7] == "–"


def test_the_caption_and_the_head_name_the_unit_and_the_size_of_scoring():
    in_mm = ROWS.rename(columns={"hd95_px": "hd95_mm"})
    text = to_markdown(made(in_mm), "test", 0.5, "native")
    assert "| HD95 (mm) |" in re.sub(" +", " ", text)
    assert "surface Dice (within 0.5 mm)" in text
    assert "HD95 is the 95 % Hausdorff distance in mm." in text
    assert "Masks are scored at the size of the original images." in text
    assert "in pixels of the original images" in to_markdown(made(), "test", 2, "native")
    assert "in pixels at network size" in to_markdown(made(), "test", 2)


# ---- repeated draws of the labelled cases ---------------------------------------------------


def test_the_spread_over_draws_is_a_column_only_if_there_are_draws():
    table = made()
    assert "labels ±" not in to_markdown(table, "test", 2)
    drawn = table.assign(draws=[5, 1, 5, 1, 1], draw_std=[3.25, NAN, 1.5, NAN, NAN])
    text = to_markdown(drawn, "test", 2)
    place = [cell.strip() for cell in line_of(text, "| method ").split("|")[1:-1]].index("labels ±")
    assert cells_of(text, "unet")[place] == "3.2"
    assert cells_of(text, "ours_p")[place] == "–"
    assert "over 5 draws of the labelled cases, seeds included" in text
    assert r"Labels $\pm$" in to_tex(drawn, "test", 2)
