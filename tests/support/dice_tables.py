"""Builders of dice.csv tables for tests of statistics."""

import pandas as pd


def table(*rows):
    """Rows of dice.csv from (method, seed, case, class, reference_px, predicted_px, dice).

    The Hausdorff distance is 10 px minus 10 times Dice; surface Dice is half of Dice.
    """
    columns = ["method", "seed", "case", "class", "reference_px", "predicted_px", "dice"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(dataset="wrist", n=5, hd95_px=10 - 10 * frame["dice"], surface_dice=frame["dice"] / 2)


def of_cases(**dice):
    """Rows with one seed and one class; `unet` has Dice 0.5 in all cases, other methods the given values."""
    names = [f"case {k}" for k in range(len(next(iter(dice.values()))))]
    rows = [("unet", 0, case, "Radius", 10, 10, 0.5) for case in names]
    rows += [
        (method, 0, case, "Radius", 10, 10, value)
        for method, values in dice.items()
        for case, value in zip(names, values, strict=True)
    ]
    return table(*rows)
