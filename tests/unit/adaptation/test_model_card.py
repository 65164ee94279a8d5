"""The card of a tuned SAM says where it comes from, on what it was tuned, and which state it is."""

from samcarry.adaptation.adapt import Score
from samcarry.adaptation.model_card import write_card

BASE = {"model": "small", "file": "resources/sam.safetensors", "sha256": "ab" * 32}


def card(folder, scores):
    write_card(folder / "card.md", BASE, ["case3", "case1"], ["radius", "ulna"], scores)
    return (folder / "card.md").read_text()


def test_it_names_origin_cases_classes_licence_and_limits(tmp_path):
    text = card(tmp_path, [])
    origin = f"- Starts from: `resources/sam.safetensors` (architecture `small`, SHA-256 `{'ab' * 32}`).\n"
    assert origin in text
    assert "- Tuned on: 2 labelled cases (case3, case1).\n" in text
    assert "- Classes: radius, ulna.\n" in text
    assert "licence of the SAM that they start from" in text
    assert "Use it only for images like these" in text


def test_the_best_state_is_named_above_all_scores(tmp_path):
    text = card(tmp_path, [Score(0, 0.8), Score(200, 0.8567), Score(400, 0.85)])
    assert "These are the weights after step 200, which scored best" in text
    assert text.endswith(
        "| step | mean Dice (%) |\n|---|---|\n| 0 | 80.00 |\n| 200 | 85.67 |\n| 400 | 85.00 |\n"
    )


def test_an_untuned_sam_that_was_not_beaten_is_called_so(tmp_path):
    assert "These are the untuned SAM" in card(tmp_path, [Score(0, 0.8), Score(200, 0.8)])


def test_without_scores_it_says_that_the_last_state_was_taken(tmp_path):
    text = card(tmp_path, [])
    assert "the weights after the last step" in text
    assert "|" not in text
