"""The folder of a paper: what its pages say, and that no names are in it."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from samcarry.evaluation.intervals import interval_of
from samcarry.evaluation.summary import case_dice, read_dice
from samcarry.paper.checklist_items import CLAIM, TRIPOD
from samcarry.paper.digests import files_of
from samcarry.paper.folder import write_paper
from samcarry.paper.verify import verify
from support.paper_run import TEST, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def written(run):
    write_paper(run.dice.parent / "paper", run)
    return run.dice.parent / "paper"


def test_names_of_cases_and_patients_are_in_no_file(written):
    for path in files_of(written).values():
        if path.suffix in (".csv", ".md", ".html", ".json"):
            assert not re.search(r"\b(t1|t11|u3|p4|r2|a7)\b", path.read_text()), path


def test_statistics_are_those_of_the_run_under_its_own_names(run, written):
    scores = case_dice(read_dice(run.dice))["unet"]
    interval = interval_of(scores, {case: f"p{int(case[1:]) // 2}" for case in TEST}, "share")
    row = pd.read_csv(written / "data/table1.csv").set_index("method").loc["unet"]
    expected = (100 * scores.mean(), 100 * interval.low, 100 * interval.high)
    assert tuple(row[["mean", "mean_low", "mean_high"]]) == pytest.approx(expected, rel=1e-5)


def test_every_number_names_a_cell_that_exists(written):
    for row in pd.read_csv(written / "sources.csv", dtype=str, keep_default_na=False).to_dict("records"):
        table = pd.read_csv(written / row["file"], dtype=str, keep_default_na=False)
        assert row["column"] in table, row
        key, value = row["row"].split(",")[0].split("=", 1)
        known = table[table[key] == value]
        assert len(known) or row["number"] == "–", row


def test_the_second_reader_is_a_row_of_table_1_without_a_rank(written):
    row = pd.read_csv(written / "data/table1.csv").set_index("method").loc["second_reader"]
    assert 90 < row["mean_low"] < row["mean"] < row["mean_high"] < 100 or row["mean"] > 90
    assert pd.isna(row["rank"])
    text = (written / "paper.md").read_text()
    assert "Where two people labelled the same image (12 test images), the Dice between them was 9" in text
    assert "Dice between two people: 9" in (written / "claim.md").read_text()


def test_images_that_were_left_out_are_in_the_flow_of_participants(written):
    text = (written / "paper.md").read_text()
    assert "The pipeline left out 4 images: 1 (a copy), 3 (unreadable)." in text
    cells = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    assert ["", "left out", "4", "–", "–", ""] in cells
    for page in ("claim.md", "tripod.md"):
        assert "the pipeline left out 4" in (written / page).read_text()


def test_tuning_is_described_as_it_was_done(run, tmp_path, written):
    assert "Nothing was tuned (0 trials)" in (written / "paper.md").read_text()
    tuned = {**run.settings, "tuning.trials": "200", "tuning.pruning": "0.1"}
    write_paper(tmp_path / "pruned", replace(run, settings=tuned))
    text = (tmp_path / "pruned/paper.md").read_text()
    assert "with 200 trials per study" in text
    assert "(p < 0.1)" in text
    write_paper(tmp_path / "all", replace(run, settings={**run.settings, "tuning.trials": "200"}))
    assert "A trial stopped" not in (tmp_path / "all/paper.md").read_text()


def test_more_labels_have_a_section_with_intervals(written):
    assert re.search(r"\n20 more labels: \+\d+\.\d points of Dice \(", (written / "paper.md").read_text())


@pytest.mark.parametrize(("page", "items", "count"), [("claim", CLAIM, 44), ("tripod", TRIPOD, 52)])
def test_checklists_have_every_item_once_and_mark_the_blanks(written, page, items, count):
    numbers = [number for _, group in items for number, _, _ in group]
    assert len(set(numbers)) == len(numbers) == count
    text = (written / f"{page}.md").read_text()
    blanks = sum(key is None for _, group in items for _, _, key in group)
    assert f"{count - blanks} of {count} items are filled in" in text
    assert text.count("[to be filled in by the authors: ") >= blanks
    assert "take the official wording from" in text
    assert (written / f"{page}.html").read_text().count("<mark>") == text.count("[to be filled in")


def test_the_crate_lists_every_file_and_no_other(written):
    crate = json.loads((written / "ro-crate-metadata.json").read_text())
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    listed = {part["@id"] for part in entities["./"]["hasPart"]}
    assert listed == set(files_of(written)) - {"ro-crate-metadata.json"}
    for entity in crate["@graph"]:
        for value in entity.values():
            for link in value if isinstance(value, list) else [value]:
                if isinstance(link, dict) and not link["@id"].startswith("http"):
                    assert link["@id"] in entities
    action = entities["#run"]
    assert action["instrument"] == entities["./"]["mainEntity"] == {"@id": "workflow/Snakefile"}


def test_the_crate_is_valid_by_its_own_validator(written):
    services = pytest.importorskip(
        "rocrate_validator.services", reason="NOT CHECKED: pip install roc-validator to validate the RO-Crate"
    )
    models = pytest.importorskip("rocrate_validator.models")
    settings = services.ValidationSettings(
        rocrate_uri=str(written),
        profile_identifier="workflow-run-crate-0.5",
        requirement_severity=models.Severity.REQUIRED,
    )
    try:
        messages = [str(issue.message) for issue in services.validate(settings).get_issues()]
    except Exception as error:  # the validator reads the JSON-LD contexts from the web
        pytest.skip(f"NOT CHECKED: the RO-Crate could not be validated offline ({error})")
    if any("Unable to retrieve the JSON-LD context" in message for message in messages):
        pytest.skip("NOT CHECKED: the RO-Crate could not be validated offline")
    assert not messages


def test_a_run_without_readers_sizes_figures_or_curves_has_a_page_too(run, tmp_path):
    few = replace(run, sizes=[], readers=None, figures={}, curves={})
    write_paper(tmp_path / "paper", few)
    assert not verify(tmp_path / "paper").faults
    text = (tmp_path / "paper/paper.md").read_text()
    assert "How many more labels?" not in text
    assert "## Figures" not in text
