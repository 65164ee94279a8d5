"""Evidence of each class of a case, from the probabilities of one network and the anatomy of X^n.

No label and no SAM is needed, so that the evidence is known for new images too.
"""

import numpy as np
from numpy.typing import NDArray

from samcarry.presence.anatomy import Anatomy, find_objects
from samcarry.storage.probabilities import foreground

NAMES = ("probability", "largest", "area", "place", "company", "case", "share")
"""The kinds of evidence, in the order of `measure_evidence`."""

_FARTHEST = 8.0
"""In standard deviations."""
_MOST_COMPANY = 20.0
_PRIOR = 0.5
"""Added to counts, so that what no labelled case shows is unlikely and not impossible."""


def measure_evidence(probabilities: NDArray[np.uint8], anatomy: Anatomy) -> NDArray[np.float64]:
    """Evidence (C, 7) that each class is there.

    - probability: log-odds of the mean over the most probable pixels, as many as the class usually has;
    - largest: log-odds of the largest probability;
    - area: standard deviations from the usual logarithm of the area;
    - place: distance of the mask's centre from the usual one in standard deviations, after the shift that the
      masks of neighbouring classes have; 0 if nothing is drawn;
    - company: log-odds of the class given how probable each other class is, as if these were independent;
    - case: mean of `probability` over the other classes;
    - share: log-odds of the share of labelled cases that have the class.

    Args:
        probabilities: times 255 (C, height, width), at network size.
        anatomy: of X^n.
    """
    found = find_objects(foreground(probabilities))
    drawn = found.areas > 0
    mean = _most_probable(probabilities, anatomy)
    confidence = _log_odds(mean)
    area = (np.log(np.maximum(found.areas, 1)) - anatomy.area) / anatomy.area_spread
    others = max(len(mean) - 1, 1)
    single = np.diag(anatomy.together)
    return np.stack(
        [
            confidence,
            _log_odds(probabilities.reshape(len(mean), -1).max(axis=1) / 255),
            np.clip(area, -_FARTHEST, _FARTHEST),
            distance_from_usual(found.centres, drawn, np.maximum(confidence, 0), anatomy),
            company_of(mean, anatomy),
            (confidence.sum() - confidence) / others,
            _log_odds(np.asarray((single + _PRIOR) / (anatomy.cases + 2 * _PRIOR), dtype=np.float64)),
        ],
        axis=1,
    )


def _log_odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds of probabilities that are stored in 8 bits, so that 0 and 1 are half a step away."""
    inside = np.clip(share, 0.5 / 255, 1 - 0.5 / 255)
    return np.log(inside / (1 - inside))


def _most_probable(probabilities: NDArray[np.uint8], anatomy: Anatomy) -> NDArray[np.float64]:
    """Mean probability 0..1 (C,) of the most probable pixels of each class, as many as it usually has."""
    flat = probabilities.reshape(len(probabilities), -1)
    counts = np.clip(np.exp(anatomy.area).astype(int), 1, flat.shape[1])
    means = [
        np.partition(of_class, -count)[-count:].mean() for of_class, count in zip(flat, counts, strict=True)
    ]
    return np.array(means) / 255


def distance_from_usual(
    centres: NDArray[np.float64],
    drawn: NDArray[np.bool_],
    weight: NDArray[np.float64],
    anatomy: Anatomy,
) -> NDArray[np.float64]:
    """How far each drawn class is from where it usually is, compared with its neighbours (C,)."""
    moved = np.where(drawn[:, None], centres - anatomy.centre, 0)
    apart = np.linalg.norm(anatomy.centre[:, None] - anatomy.centre[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    reach = 2 * max(float(np.median(apart.min(axis=1))), 1.0) if len(apart) > 1 else 1.0
    near = np.exp(-((apart / reach) ** 2) / 2) * (weight * drawn)
    shift = near @ moved / (near.sum(axis=1, keepdims=True) + _PRIOR)
    distance = np.linalg.norm((moved - shift) / anatomy.centre_spread, axis=1)
    return np.where(drawn, np.minimum(distance, _FARTHEST), 0)


def company_of(mean: NDArray[np.float64], anatomy: Anatomy) -> NDArray[np.float64]:
    """The sum over the other classes of the log-likelihood ratio of what is seen of them (C,)."""
    together, single = anatomy.together, np.diag(anatomy.together)
    with_class = (together + _PRIOR) / (single + 2 * _PRIOR)[:, None]
    without = (single - together + _PRIOR) / (anatomy.cases - single + 2 * _PRIOR)[:, None]
    seen, unseen = np.log(with_class / without), np.log((1 - with_class) / (1 - without))
    np.fill_diagonal(seen, 0)
    np.fill_diagonal(unseen, 0)
    return np.clip(seen @ mean + unseen @ (1 - mean), -_MOST_COMPANY, _MOST_COMPANY)
