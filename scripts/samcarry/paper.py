"""The paper's own results, to be shown beside ours: Dice on test in percent, mean ± deviation."""

from samcarry.errors import InputError

# Table 1, as printed there.
WRIST = {
    "nnunet_bce": (77.6, 14.6),
    "sam_lraspp": (71.8, 6.2),
    "unet": (74.3, 14.4),
    "unet_sam": (80.6, 15.9),
    "unet_medsam": (70.5, 17.3),
    "unet_random_walk": (74.7, 15.0),
    "mean_teacher": (79.3, 4.7),
    "mean_teacher_sam": (68.3, 23.3),
    "ours_p": (74.7, 8.7),
    "ours_r": (84.2, 8.0),
}
TEETH = {
    "nnunet_bce": (67.5, 14.5),
    "sam_lraspp": (45.2, 3.8),
    "unet": (66.6, 7.7),
    "unet_sam": (75.8, 12.2),
    "unet_medsam": (69.8, 8.3),
    "unet_random_walk": (67.1, 8.0),
    "mean_teacher": (62.2, 8.1),
    "mean_teacher_sam": (63.0, 7.9),
    "ours_p": (58.9, 5.6),
    "ours_r": (74.9, 9.4),
    "unet_full": (74.19, 8.59),  # in the text of §3.2, not in the table
}
STUDIES = {"wrist": WRIST, "teeth": TEETH}


def paper_figures(study: str | None) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each method in the paper's study; empty where `study` is None.

    Raises:
        InputError: the paper has no such study.
    """
    if study is None:
        return {}
    if study not in STUDIES:
        raise InputError(f"paper: '{study}' is none of the paper's studies; choose {' or '.join(STUDIES)}")
    return STUDIES[study]
