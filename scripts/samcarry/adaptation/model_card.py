"""The model card of a tuned SAM: from what, on what, how good, and what it must not be used for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from samcarry.adaptation.adapt import Score
from samcarry.storage.files import write_text


def write_card(
    path: str | Path,
    base: Mapping[str, str],
    cases: Sequence[str],
    classes: Sequence[str],
    scores: Sequence[Score],
) -> None:
    """Write the card as Markdown, atomically.

    Args:
        path: the file.
        base: architecture, file and SHA-256 of the untuned SAM.
        cases: the cases that it was tuned on.
        classes: their classes.
        scores: mean Dice on validation cases by step; empty if there were none.
    """
    chosen = max(scores, key=lambda score: score.dice, default=None)
    lines = [
        "# SAM, tuned on labelled cases",
        "",
        f"- Starts from: `{base['file']}` (architecture `{base['model']}`, SHA-256 `{base['sha256']}`).",
        f"- Tuned on: {len(cases)} labelled cases ({', '.join(cases)}).",
        f"- Classes: {', '.join(classes)}.",
        "- The weights follow the licence of the SAM that they start from, and the terms of these images.",
        "- Use it only for images like these; on other images, the untuned SAM may be better.",
        "",
    ]
    if chosen is None:
        lines += ["There were no cases to score it on, so these are the weights after the last step."]
    else:
        which = "the untuned SAM" if chosen.step == 0 else f"the weights after step {chosen.step}"
        lines += [
            f"These are {which}, which scored best on the cases that were not used for tuning:",
            "",
            "| step | mean Dice (%) |",
            "|---|---|",
            *(f"| {score.step} | {100 * score.dice:.2f} |" for score in scores),
        ]
    write_text(path, "\n".join(lines) + "\n")
