"""The compared methods: one record each. Standard library only, because the Snakefile imports this module."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from samcarry.errors import InputError

BEYOND = "beyond the paper"
ALL_LABELS = "all labels"
READER = "second reader"
"""The group of the row that no program made: a second person's labels."""
GROUPS = ("fully", "refinement", "semi", "pseudo", BEYOND, ALL_LABELS)
STUDIES = ("wrist", "teeth")
"""The paper's two studies."""
TUNING_STUDIES = ("sam", "medsam", "random_walk", "zoom")
"""What tuning may choose settings for; the blocks of the config have the same names."""
_MASKS_OF_TUNED_SAM = (
    *("adapted/refined", "best/refined", "best/judged", "best_again/refined"),
    "ensemble/best/f_phi/probabilities",
)


@dataclass(frozen=True)
class PseudoLabels:
    """What a second network f_φ learns from.

    Attributes:
        folder: the masks of the unlabelled cases, below n<n>/seed<seed>.
        weights: the folder of weights of each unlabelled case and class in the loss; '' = all count alike.
        with_labels: whether the cases of X^n are added.
        balanced: whether these make up half of each batch; otherwise all cases are drawn alike.
        strong: whether the network sees strong views: changed grey values, noise, and pasted boxes (CutMix).
        unweighted: whether all pixels count alike in the loss. The class weights of X^n help a network that
            starts from random weights, but make its masks too large.
        start: the folder of the U-Net that training starts from; '' = random weights.
        equal_length: whether it trains as long as f_θ, whatever the length of second trainings.
        soft: whether probabilities themselves are learned, where `folder` has them, instead of masks.
        agreed_with: the folder of P if only pixels count in the loss in which P and R agree; '' = all count.
    """

    folder: str
    weights: str = ""
    with_labels: bool = False
    balanced: bool = False
    strong: bool = False
    unweighted: bool = False
    start: str = ""
    equal_length: bool = False
    soft: bool = False
    agreed_with: str = ""


@dataclass(frozen=True)
class Method:
    """One row of Table 1.

    Attributes:
        id: its name in configs, files and tables.
        name: its name in texts and figures; P and R are the initial and the refined pseudo labels.
        group: how it is supervised, one of GROUPS.
        description: what it is, for the documentation.
        network: the folder of its U-Net below n<n>/seed<seed>; '' if it has none.
        masks: the folder of its masks or probabilities, if these are not its network's.
        asks: the SAMs whose checkpoint it needs: 'sam', 'medsam' and 'zoom' stand for sam.model and so on.
        tuned_by: the tuning study whose settings it uses, one of TUNING_STUDIES.
        pseudo_labels: what its network learns from, if that is pseudo labels.
        paper: the paper's mean and standard deviation of Dice in percent, by study.
        needs_hidden_labels: whether it learns from all labels, which needs labels of unlabelled cases. Such a
            method does not depend on n: its files are below `full` instead of n<n>.
        ensemble_of: the folder of the U-Nets whose seeds predict together in its network; '' if it is not an
            ensemble. It has one row for all seeds, which counts as the first one.
    """

    id: str
    name: str
    group: str
    description: str
    network: str = ""
    masks: str = ""
    asks: tuple[str, ...] = ()
    tuned_by: str | None = None
    pseudo_labels: PseudoLabels | None = None
    paper: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    needs_hidden_labels: bool = False
    ensemble_of: str = ""

    @property
    def predictions(self) -> str:
        """The folder of its masks or probabilities, below the folder of a subset and seed."""
        return self.masks or f"{self.network}/probabilities"

    @property
    def gives_probabilities(self) -> bool:
        """Whether its predictions are a network's probabilities, and not masks."""
        return self.predictions.endswith("/probabilities")

    @property
    def trained(self) -> str:
        """The folder of its own training, which has training.csv; '' if it uses other methods' models."""
        if self.ensemble_of:
            return ""
        folder, _, last = self.masks.rpartition("/")
        return self.network or (folder if last == "probabilities" else "")

    @property
    def judged(self) -> str:
        """The folder of the U-Net whose classes the presence step judges; '' if it is not used."""
        folder, _, last = self.masks.rpartition("/")
        return folder if last == "present" else ""

    @property
    def in_paper(self) -> bool:
        """Whether it is a row of the paper's Table 1."""
        return self.group not in (BEYOND, ALL_LABELS, READER)

    @property
    def competes(self) -> bool:
        """Whether it can have a rank: full supervision and people are no competitors."""
        return self.group != READER and not self.needs_hidden_labels

    @property
    def asks_tuned_sam(self) -> bool:
        """Whether its masks, or those that it learns from, are of a SAM tuned on X^n."""
        if of := self.judged or self.ensemble_of:
            return method_of_network(of).asks_tuned_sam
        learns_from = self.pseudo_labels.folder if self.pseudo_labels else ""
        return bool({self.masks, learns_from} & set(_MASKS_OF_TUNED_SAM))


_BEST = PseudoLabels("best/refined", with_labels=True, balanced=True, unweighted=True, start="fixmatch")


def _best_without(id: str, name: str, without: str, network: str = "", **changes: Any) -> Method:
    """A row that changes one part of `ours_best`, to show what it is worth.

    The folder of its network is named as the row if `network` is ''.
    """
    learns_from = replace(_BEST, **changes)
    of_sam = learns_from.folder.endswith(("/refined", "/judged"))
    return Method(
        id,
        f"samcarry, {name}",
        BEYOND,
        f"`ours_best` {without}",
        network=network or f"{id}/f_phi",
        asks=("zoom",) if of_sam else (),
        tuned_by="zoom" if of_sam and learns_from.folder not in _MASKS_OF_TUNED_SAM else None,
        pseudo_labels=learns_from,
    )


def _present(id: str, name: str, method: str, network: str, **asked: Any) -> Method:
    """The row of a method's masks without the classes that the presence step judges absent."""
    description = f"masks of `{method}` without the classes that are judged absent (block `presence`)"
    return Method(id, f"{name}, absent removed", BEYOND, description, masks=f"{network}/present", **asked)


# In the order of the paper's Table 1. The figures are as printed there.
METHODS = (
    Method(
        "nnunet_bce",
        "nnU-Net BCE",
        "fully",
        "nnU-Net itself (nnunetv2), with binary cross-entropy",
        masks="nnunet/probabilities",
        paper={"wrist": (77.6, 14.6), "teeth": (67.5, 14.5)},
    ),
    Method(
        "sam_lraspp",
        "SAM ViT + LR-ASPP",
        "fully",
        "an LR-ASPP head on SAM's frozen image encoder",
        masks="lraspp/probabilities",
        asks=("sam",),
        paper={"wrist": (71.8, 6.2), "teeth": (45.2, 3.8)},
    ),
    Method(
        "unet",
        "U-Net (f_θ)",
        "fully",
        "the first network, trained on the labelled cases",
        network="f_theta",
        paper={"wrist": (74.3, 14.4), "teeth": (66.6, 7.7)},
    ),
    Method(
        "unet_sam",
        "U-Net + SAM",
        "refinement",
        "masks of `unet`, refined by SAM",
        masks="refined",
        asks=("sam",),
        tuned_by="sam",
        paper={"wrist": (80.6, 15.9), "teeth": (75.8, 12.2)},
    ),
    Method(
        "unet_medsam",
        "U-Net + MedSAM",
        "refinement",
        "masks of `unet`, refined by MedSAM from bounding boxes",
        masks="medsam/refined",
        asks=("medsam",),
        tuned_by="medsam",
        paper={"wrist": (70.5, 17.3), "teeth": (69.8, 8.3)},
    ),
    Method(
        "unet_random_walk",
        "U-Net + Random Walk",
        "refinement",
        "masks of `unet`, refined by a random walk on grey values",
        masks="random_walk",
        tuned_by="random_walk",
        paper={"wrist": (74.7, 15.0), "teeth": (67.1, 8.0)},
    ),
    Method(
        "mean_teacher",
        "Mean Teacher (MT)",
        "semi",
        "Mean Teacher, started from `unet`",
        network="mean_teacher",
        paper={"wrist": (79.3, 4.7), "teeth": (62.2, 8.1)},
    ),
    Method(
        "mean_teacher_sam",
        "MT + SAM selection",
        "semi",
        "Mean Teacher that uses only pseudo labels on which SAM agrees",
        network="mean_teacher_sam",
        asks=("sam",),
        paper={"wrist": (68.3, 23.3), "teeth": (63.0, 7.9)},
    ),
    Method(
        "ours_p",
        "ours w/o SAM (P)",
        "pseudo",
        "a second network, trained on the initial pseudo labels P",
        network="f_phi_p",
        pseudo_labels=PseudoLabels("f_theta/probabilities"),
        paper={"wrist": (74.7, 8.7), "teeth": (58.9, 5.6)},
    ),
    Method(
        "ours_r",
        "ours w/ SAM (R)",
        "pseudo",
        "a second network, trained on the refined pseudo labels R: the paper's method",
        network="f_phi",
        asks=("sam",),
        tuned_by="sam",
        pseudo_labels=PseudoLabels("refined"),
        paper={"wrist": (84.2, 8.0), "teeth": (74.9, 9.4)},
    ),
    Method(
        "unet_sam_zoom",
        "U-Net + SAM on crops",
        BEYOND,
        "as `unet_sam`, but SAM sees each object enlarged, on a crop of the original image; P is its first "
        "mask prompt and is averaged with its answer; the block `zoom` sets all this",
        masks="zoom/refined",
        asks=("zoom",),
        tuned_by="zoom",
    ),
    Method(
        "ours_r_zoom",
        "ours w/ SAM on crops (R)",
        BEYOND,
        "a second network, trained on the masks of `unet_sam_zoom`",
        network="zoom/f_phi",
        asks=("zoom",),
        tuned_by="zoom",
        pseudo_labels=PseudoLabels("zoom/refined"),
    ),
    Method(
        "unet_sam_adapted",
        "U-Net + SAM tuned on X^n",
        BEYOND,
        "as `unet_sam_zoom`, but the SAM was tuned on the labelled cases first (block `adapt`)",
        masks="adapted/refined",
        asks=("zoom",),
    ),
    Method(
        "ours_r_adapted",
        "ours w/ SAM tuned on X^n (R)",
        BEYOND,
        "a second network, trained on the masks of `unet_sam_adapted`",
        network="adapted/f_phi",
        asks=("zoom",),
        pseudo_labels=PseudoLabels("adapted/refined"),
    ),
    Method(
        "ours_r_equal",
        "ours w/ SAM (R), equal length",
        BEYOND,
        "as `ours_r`, but trained for `training.iterations`, as long as `unet`; "
        "without `f_phi.iterations`, the two are the same",
        network="f_phi_equal",
        asks=("sam",),
        tuned_by="sam",
        pseudo_labels=PseudoLabels("refined", equal_length=True),
    ),
    Method(
        "ours_r_weighted",
        "ours w/ SAM (R), weighted",
        BEYOND,
        "as `ours_r`; each class of each pseudo label is weighted in the loss by the Dice that SAM expects "
        "of R (from its IoU estimate) times the Dice of P and R, or by 1 where neither has the class",
        network="f_phi_weighted",
        asks=("sam",),
        tuned_by="sam",
        pseudo_labels=PseudoLabels("refined", weights="weights"),
    ),
    Method(
        "ours_r_round2",
        "ours w/ SAM (R), second round",
        BEYOND,
        "a second round: f_φ replaces f_θ, SAM refines its masks, and a third network learns from these",
        network="round2/f_phi",
        asks=("sam",),
        tuned_by="sam",
        pseudo_labels=PseudoLabels("round2/refined"),
    ),
    Method(
        "ours_r_warm",
        "ours w/ SAM (R), from f_θ with labels",
        BEYOND,
        "as `ours_r`, but training starts from f_θ and also uses the labelled cases",
        network="f_phi_warm",
        asks=("sam",),
        tuned_by="sam",
        pseudo_labels=PseudoLabels("refined", with_labels=True, start="f_theta"),
    ),
    Method(
        "unet_sam_tolerant",
        "U-Net + SAM, tolerant prompts",
        BEYOND,
        "as `unet_sam`, with prompts after SAMRefiner (ICLR 2025): the positive point is the deepest in the "
        "mask, a side of the box moves on while probability leaks out of it (by at most a fifth of its "
        "extent), and P is the first mask prompt",
        masks="tolerant/refined",
        asks=("sam",),
        tuned_by="sam",
    ),
    Method(
        "ours_r_tolerant",
        "ours w/ SAM (R), tolerant prompts",
        BEYOND,
        "a second network, trained on the masks of `unet_sam_tolerant`",
        network="tolerant/f_phi",
        asks=("sam",),
        tuned_by="sam",
        pseudo_labels=PseudoLabels("tolerant/refined"),
    ),
    Method(
        "nnunet",
        "nnU-Net",
        BEYOND,
        "nnU-Net itself, with its default loss: Dice and binary cross-entropy of each class",
        masks="nnunet_default/probabilities",
    ),
    Method(
        "fixmatch",
        "FixMatch",
        BEYOND,
        "weak-to-strong consistency, started from `unet`, after FixMatch with UniMatch's CutMix: confident "
        "predictions (`fixmatch.confidence`) for slightly warped images are the labels for the same images "
        "with changed grey values, noise and pasted boxes",
        network="fixmatch",
    ),
    Method(
        "fixmatch_sam_adapted",
        "FixMatch + SAM tuned on X^n",
        BEYOND,
        "masks of `fixmatch`, refined as those of `unet_sam_adapted`: what `ours_best` learns from",
        masks="best/refined",
        asks=("zoom",),
    ),
    Method(
        "ours_best",
        "samcarry",
        BEYOND,
        "the recommended recipe: `fixmatch` predicts the unlabelled images, a SAM tuned on the labelled "
        "cases redraws its masks on crops, and the network goes on learning from these masks and the "
        "labels, each of them half of a batch",
        network="best/f_phi",
        asks=("zoom",),
        pseudo_labels=_BEST,
    ),
    Method(
        "ours_best_sam",
        "samcarry + SAM",
        BEYOND,
        "masks of `ours_best`, refined once more by the tuned SAM: it needs SAM for each new image",
        masks="best_again/refined",
        asks=("zoom",),
    ),
    _best_without(
        "best_untuned_sam",
        "SAM not tuned",
        "without tuning SAM on the labelled cases",
        "best_untuned/f_phi",
        folder="best_untuned/refined",
    ),
    _best_without(
        "best_no_sam",
        "no SAM",
        "without SAM: it learns from the masks of `fixmatch` themselves",
        folder="fixmatch/probabilities",
    ),
    _best_without(
        "best_from_f_theta",
        "no consistency",
        "without `fixmatch`: `unet` takes its place",
        folder="adapted/refined",
        start="f_theta",
    ),
    _best_without(
        "best_strong_views",
        "strong views",
        "with strong views in the last training",
        strong=True,
    ),
    _best_without(
        "best_weighted",
        "weighted loss",
        "with the weights of X^n in the loss of the last training",
        unweighted=False,
    ),
    _best_without(
        "best_no_labels",
        "no labels",
        "without the labelled cases in the last training",
        with_labels=False,
        balanced=False,
    ),
    _best_without(
        "best_unbalanced",
        "all cases alike",
        "with all cases drawn alike in the last training",
        balanced=False,
    ),
    _best_without(
        "best_agreed",
        "agreed pixels",
        "with those pixels only in the loss of the last training in which FixMatch and SAM agree",
        agreed_with="fixmatch/probabilities",
    ),
    _best_without(
        "best_presence",
        "absent classes",
        "with the presence step in the last training: classes that it judges absent in the masks of FixMatch "
        "are removed from the pseudo labels, and undecided ones do not count in the loss",
        folder="best/judged",
        weights="best/judged",
    ),
    _best_without(
        "best_round2",
        "second round",
        "with a second round: the masks of `ours_best_sam` are what the network goes on learning from",
        "best_again/f_phi",
        folder="best_again/refined",
        start="best/f_phi",
    ),
    Method(
        "unet_ensemble",
        "U-Net (f_θ), all seeds",
        BEYOND,
        "the networks of `unet` of all seeds together: the mean of their probabilities",
        network="ensemble/f_theta",
        ensemble_of="f_theta",
    ),
    Method(
        "ours_best_ensemble",
        "samcarry, all seeds",
        BEYOND,
        "the networks of `ours_best` of all seeds together: the mean of their probabilities",
        network="ensemble/best/f_phi",
        asks=("zoom",),
        ensemble_of="best/f_phi",
    ),
    Method(
        "ours_best_distilled",
        "samcarry, distilled",
        BEYOND,
        "one network for all seeds: `ours_best` goes on learning from the probabilities that "
        "`ours_best_ensemble` predicts for the unlabelled images, and from the labels",
        network="distilled/f_phi",
        asks=("zoom",),
        pseudo_labels=replace(
            _BEST, folder="ensemble/best/f_phi/probabilities", soft=True, start="best/f_phi"
        ),
    ),
    _present("unet_present", "U-Net (f_θ)", "unet", "f_theta"),
    _present("ours_r_present", "ours w/ SAM (R)", "ours_r", "f_phi", asks=("sam",), tuned_by="sam"),
    _present("ours_best_present", "samcarry", "ours_best", "best/f_phi", asks=("zoom",)),
    Method(
        "unet_full",
        "U-Net, all labels",
        ALL_LABELS,
        "a network trained on all labels, where more labels exist",
        network="f_theta",
        paper={"teeth": (74.19, 8.59)},  # in the text of §3.2, not in the table
        needs_hidden_labels=True,
    ),
)

METHOD_IDS = tuple(method.id for method in METHODS)
SECOND_READER = "second_reader"
"""The id of the row of Table 1 that shows how well two people agree. It cannot be chosen in a config."""
_SECOND_READER = Method(
    SECOND_READER,
    "a second reader",
    READER,
    "the Dice between the masks of two people, where two people labelled the same images",
)
_BY_ID = {method.id: method for method in (*METHODS, _SECOND_READER)}
_ORDER = {method_id: place for place, method_id in enumerate(_BY_ID)}

PAIRS = (
    ("unet_sam", "unet"),
    ("ours_r", "unet"),
    ("ours_r", "ours_p"),
    ("ours_p", "unet"),
    ("ours_r", "unet_full"),
)
"""The differences in a summary: what SAM adds, and what training on its masks adds."""

_SIDE_BY_SIDE = ("unet", "mean_teacher", "ours_r", "ours_best")


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
        InputError: one of them is not a method.
    """
    return sorted({method_of(method_id).id for method_id in method_ids}, key=_ORDER.__getitem__)


def method_of_network(network: str, *, full: bool = False) -> Method:
    """The method whose U-Net is in a folder.

    Args:
        network: the folder, below that of a subset and seed.
        full: whether the subset is 'full', which has all labels.

    Raises:
        InputError: there is none.
    """
    for method in METHODS:
        if method.network == network and method.needs_hidden_labels == full:
            return method
    raise InputError(f"no method has a network '{network}'")


def shown_side_by_side(method_ids: Sequence[str]) -> list[str]:
    """The methods in the figures of single cases (the paper's Fig. 3 to 5)."""
    return [method for method in _SIDE_BY_SIDE if method in method_ids] or in_order(method_ids)[-1:]


def paper_figures(study: str | None) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each method in the paper's study; empty where `study` is None.

    Raises:
        InputError: the paper has no such study.
    """
    if study is None:
        return {}
    if study not in STUDIES:
        raise InputError(f"paper: '{study}' is not one of the paper's studies; choose {' or '.join(STUDIES)}")
    return {method.id: method.paper[study] for method in METHODS if study in method.paper}
