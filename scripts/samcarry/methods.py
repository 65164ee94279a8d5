"""The compared methods: one record each, and the paper's figures for them."""

from collections.abc import Iterable
from dataclasses import dataclass

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


BEYOND = "beyond the paper"
ALL_LABELS = "all labels"
SUPERVISION = ("fully", "refinement", "semi", "pseudo", BEYOND, ALL_LABELS)


@dataclass(frozen=True)
class Method:
    """One row of Table 1.

    Attributes:
        id: what config, files and tables call it.
        name: what people read; P and R are the paper's pseudo labels, unrefined and refined.
        supervision: its group, one of SUPERVISION.
    """

    id: str
    name: str
    supervision: str

    @property
    def in_paper(self) -> bool:
        """Whether it is a row of the paper's Table 1."""
        return self.supervision not in (BEYOND, ALL_LABELS)


METHODS = (
    Method("nnunet_bce", "nnU-Net BCE", "fully"),
    Method("sam_lraspp", "SAM ViT + LR-ASPP", "fully"),
    Method("unet", "U-Net (f_θ)", "fully"),
    Method("unet_sam", "U-Net + SAM", "refinement"),
    Method("unet_medsam", "U-Net + MedSAM", "refinement"),
    Method("unet_random_walk", "U-Net + Random Walk", "refinement"),
    Method("mean_teacher", "Mean Teacher (MT)", "semi"),
    Method("mean_teacher_sam", "MT + SAM selection", "semi"),
    Method("ours_p", "ours w/o SAM (P)", "pseudo"),
    Method("ours_r", "ours w/ SAM (R)", "pseudo"),
    # R weighted by SAM's own quality estimate and by the agreement of P and R.
    Method("ours_r_weighted", "ours w/ SAM (R), weighted", BEYOND),
    # f_φ takes the place of f_θ.
    Method("ours_r_round2", "ours w/ SAM (R), second round", BEYOND),
    # f_φ starts from f_θ and is given the labelled cases too.
    Method("ours_r_warm", "ours w/ SAM (R), from f_θ with labels", BEYOND),
    # Prompts after SAMRefiner.
    Method("unet_sam_tolerant", "U-Net + SAM, tolerant prompts", BEYOND),
    Method("ours_r_tolerant", "ours w/ SAM (R), tolerant prompts", BEYOND),
    # Weak-to-strong consistency.
    Method("fixmatch", "FixMatch", BEYOND),
    Method("unet_full", "U-Net, all labels", ALL_LABELS),
)

METHOD_IDS = tuple(method.id for method in METHODS)
_BY_ID = {method.id: method for method in METHODS}


def method_of(method_id: str) -> Method:
    """The method with that id.

    Raises:
        InputError: there is none.
    """
    if method_id not in _BY_ID:
        raise InputError(f"method '{method_id}' is not known; choose from {', '.join(METHOD_IDS)}")
    return _BY_ID[method_id]


def in_order(method_ids: Iterable[str]) -> list[str]:
    """Ids, each once, in the order of Table 1.

    Raises:
        InputError: one of them is no method.
    """
    return sorted({method_of(method_id).id for method_id in method_ids}, key=METHOD_IDS.index)
