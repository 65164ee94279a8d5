"""The results of a run as text and tables, for the page of a paper."""

from collections.abc import Iterator, Mapping
from typing import Any

from samcarry.evaluation.label_curve import SEEDS_ONLY
from samcarry.methods import READER, SECOND_READER, method_of
from samcarry.paper.document import Grid, Number, Sentence, say
from samcarry.paper.sources import Sources

TABLE1, DIFFERENCES = "data/table1.csv", "data/differences.csv"
CURVE = "data/label_curve.csv"


def ranked_method(sources: Sources) -> str:
    """The method that the text is about."""
    known = [row["method"] for row in sources.rows(TABLE1) if row["mean"]]
    return "ours_r" if "ours_r" in known else ([m for m in known if m != SECOND_READER] or known)[-1]


def unit_of(sources: Sources) -> Number:
    """The unit of distances."""
    return sources.number(TABLE1, "unit", "", method=ranked_method(sources))


def network_input(sources: Sources) -> dict[str, Number | Sentence]:
    """The parts `height`, `width` and `window` of a sentence about the images that networks see."""
    ends = sources.setting("images.window") if sources.has_setting("images.window") else None
    return {
        "height": sources.setting("images.height"),
        "width": sources.setting("images.width"),
        "window": say(", after stretching the grey values between their percentiles {ends}", ends=ends)
        if ends
        else (),
    }


def main_results(sources: Sources, about: Mapping[str, Any]) -> Iterator[Sentence]:
    """What the main methods reached, and how they differ."""
    method = ranked_method(sources)
    yield say(
        "On {cases} {split} images (patients: {patients}), {name} reached a mean Dice of {mean} %, with a "
        "standard deviation over cases of {std}.",
        cases=sources.number(TABLE1, "cases", ".0f", method=method),
        split=about["split"],
        patients=sources.number(TABLE1, "patients", ".0f", method=method),
        name=method_of(method).name,
        mean=sources.mean(TABLE1, "mean", method=method),
        std=sources.number(TABLE1, "std", method=method),
    )
    if sources.has(TABLE1, "seed_std", method=method):
        yield say(
            "The standard deviation of its mean over {seeds} seeds was {seed_std} points.",
            seeds=sources.number(TABLE1, "seeds", ".0f", method=method),
            seed_std=sources.number(TABLE1, "seed_std", method=method),
        )
    best = sources.find(TABLE1, rank="1")
    if best:
        yield say(
            "Of all methods with few labels, {name} had the highest mean Dice, {mean} %.",
            name=method_of(best["method"]).name,
            mean=sources.mean(TABLE1, "mean", method=best["method"]),
        )
    for row in _main_differences(sources):
        if row["primary"] == "1" or row["against"] == "unet":
            yield _difference(sources, row)
    if sources.has(TABLE1, "mean", method="unet_full"):
        yield say(
            "With all labels, a U-Net reached {mean} %.",
            mean=sources.mean(TABLE1, "mean", method="unet_full"),
        )
    if sources.has(TABLE1, "mean", method=SECOND_READER):
        yield say(
            "Where two people labelled the same image ({cases} {split} images), the Dice between them was "
            "{mean} %.",
            cases=sources.number(TABLE1, "cases", ".0f", method=SECOND_READER),
            split=about["split"],
            mean=sources.mean(TABLE1, "mean", method=SECOND_READER),
        )


def _main_differences(sources: Sources) -> list[Mapping[str, str]]:
    """The primary comparison, those of the method that the text is about, and what SAM did to the masks."""
    method = ranked_method(sources)
    return [
        row
        for row in sources.rows(DIFFERENCES)
        if row["primary"] == "1"
        or method in (row["method"], row["against"])
        or (row["method"], row["against"]) == ("unet_sam", "unet")
    ]


def _difference(sources: Sources, row: Mapping[str, str]) -> Sentence:
    pair = {"method": row["method"], "against": row["against"]}
    names = {key: method_of(method).name for key, method in pair.items()}
    text = "{method} minus {against}: {difference} points of Dice"
    parts: dict[str, Any] = {**names, "difference": sources.number(DIFFERENCES, "difference", "+.1f", **pair)}
    if row["low"]:
        text += " (95 % interval {low} to {high})"
        parts |= {end: sources.number(DIFFERENCES, end, "+.1f", **pair) for end in ("low", "high")}
    p = "p" if row["primary"] == "1" else "p_holm"
    if row[p]:
        text += ", p = {p}" + (" (primary comparison)" if p == "p" else " after Holm's correction")
        parts["p"] = sources.number(DIFFERENCES, p, ".2g", **pair)
    return say(text + ".", **parts)


def table1(sources: Sources) -> Grid:
    """Table 1."""
    heads = (
        *("Method", "Dice, %", "± over cases", "± over seeds", f"HD95, {unit_of(sources).text}"),
        *("Surface Dice, %", "False positives, %", "Rank", "Seeds", "Cases", "Patients"),
        *("Supervision", "Note"),
    )
    rows = []
    for row in sources.rows(TABLE1):
        method = row["method"]
        cells: list[Sentence] = [(method_of(method).name,)]
        if row["missing"]:
            cells += [(f"not available: {row['missing']}",), *[("",)] * (len(heads) - 2)]
            rows.append(tuple(cells))
            continue
        scores = [
            sources.mean(TABLE1, name, method=method)
            for name in ("mean", "seed_std", "hd95", "surface_dice", "false_positives")
        ]
        counts = [
            sources.cell(TABLE1, name, ".0f", method=method)
            for name in ("rank", "seeds", "cases", "patients")
        ]
        spread = sources.cell(TABLE1, "std", method=method)
        group = "two people" if method_of(method).group == READER else method_of(method).group
        rows.append((*cells, scores[0], spread, *scores[1:], *counts, (group,), (row["note"],)))
    caption = (
        "Table 1: means over cases with their 95 % intervals by patient where there are enough patients."
    )
    return Grid((caption,), heads, tuple(rows))


def differences(sources: Sources) -> Grid:
    """The main paired differences."""
    columns = (
        ("difference", "+.1f"),
        ("low", "+.1f"),
        ("high", "+.1f"),
        ("p", ".2g"),
        ("p_holm", ".2g"),
        ("cases", ".0f"),
    )
    rows = []
    for row in _main_differences(sources):
        pair = {"method": row["method"], "against": row["against"]}
        cells = [sources.cell(DIFFERENCES, name, form, **pair) for name, form in columns]
        rows.append(((f"{method_of(pair['method']).name} – {method_of(pair['against']).name}",), *cells))
    heads = ("Comparison", "Difference", "From", "To", "p", "p (Holm)", "Cases")
    caption = (
        "Main paired differences in points of Dice, with their 95 % intervals; data/differences.csv has all."
    )
    return Grid((caption,), heads, tuple(rows))


def by_class(sources: Sources) -> Grid:
    """Mean Dice of each class, for the first network, the main method and a second reader."""
    file = "data/per_class.csv"
    wanted = dict.fromkeys(("unet", ranked_method(sources), SECOND_READER))
    methods = [method for method in wanted if sources.find(file, method=method)]
    names = dict.fromkeys(row["class"] for row in sources.rows(file))
    rows = tuple(
        (
            (name,),
            sources.cell(file, "cases", ".0f", method=methods[0], **{"class": name}),
            *(sources.mean(file, "mean", method=method, **{"class": name}) for method in methods),
        )
        for name in names
    )
    heads = ("Class", "Cases", *(method_of(method).name for method in methods))
    return Grid(("Mean Dice of each class in percent, where the class is present.",), heads, rows)


def more_labels(sources: Sources, stop: float) -> Iterator[Sentence]:
    """What more labels are expected to gain; gains below `stop` points of Dice are not worth them."""
    method = _curve_method(sources)
    first = sources.find(CURVE, method=method, **{"class": ""})
    if first is None:
        return
    own = {"method": method, "class": ""}
    yield say(
        "The curve of {name} over {sizes} sizes up to {n} labelled cases, with {repeats} trainings, was "
        "followed to more labels.",
        name=method_of(method).name,
        **{key: sources.number(CURVE, key, ".0f", **own) for key in ("sizes", "n", "repeats")},
    )
    if first["repeated"] == "seeds":
        yield (SEEDS_ONLY,)
    for row in sources.rows(CURVE):
        if row["method"] != method or row["class"]:
            continue
        step = {**own, "more": row["more"]}
        parts = {
            key: sources.number(CURVE, key, "+.1f" if key == "gain" else ".1f", **step)
            for key in ("gain", "low", "high")
        }
        more = sources.number(CURVE, "more", ".0f", **step)
        if float(row["high"]) < stop:
            text = (
                "{more} more labels: stop, the interval of the gain ({low} to {high}) ends below "
                + f"{stop:g} points."
            )
            yield say(text, more=more, low=parts["low"], high=parts["high"])
        else:
            yield say("{more} more labels: {gain} points of Dice ({low} to {high}).", more=more, **parts)


def _curve_method(sources: Sources) -> str:
    known = list(dict.fromkeys(row["method"] for row in sources.rows(CURVE)))
    return ranked_method(sources) if ranked_method(sources) in known else known[-1]


def gains(sources: Sources) -> Grid:
    """Expected gains from more labels, by class."""
    method = _curve_method(sources)
    rows = []
    for row in sources.rows(CURVE):
        if row["method"] != method:
            continue
        own = {"method": method, "class": row["class"], "more": row["more"]}
        ends = {key: sources.number(CURVE, key, ".1f", **own) for key in ("low", "high")}
        gain = say("{gain} ({low} to {high})", gain=sources.number(CURVE, "gain", "+.1f", **own), **ends)
        now = sources.cell(CURVE, "now", **own)
        rows.append(((row["class"] or "all classes",), sources.cell(CURVE, "more", ".0f", **own), now, gain))
    caption = "Expected gain in points of Dice from more labels, with its 95 % interval for one new draw."
    return Grid((caption,), ("Class", "More labels", "Dice now, %", "Gain"), tuple(rows))
