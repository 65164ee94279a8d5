"""Findings as sentences."""

from collections.abc import Sequence

from samcarry.audit.explanations import Proposal
from samcarry.errors import shortlist

_SENTENCES = {
    "other image": "These labels fit the image {detail} better than this one: they may be its labels.",
    "mirrored": "The masks look mirrored: left and right of the image are exchanged.",
    "upside down": "The masks look turned upside down.",
    "all shifted": "All masks look shifted, by {detail}.",
    "sides swapped": "Left and right look exchanged: {moves}.",
    "numbering": "The numbering looks shifted along the row: {moves}.",
    "swapped": "The masks of {pair} look swapped.",
    "wrong class": "The mask of {one} looks like {other}, which has no mask here.",
    "missing": "{one} has no mask, but the networks see it.",
    "extra": "{one} has a mask, but the networks do not see it there.",
    "shifted": "The mask of {one} looks shifted, by {detail}.",
    "cut off": "The mask of {one} looks cut off: the networks see more of it.",
    "leaking": "The mask of {one} looks too large: it leaks beyond what the networks see.",
    "badly drawn": "The mask of {one} looks badly drawn.",
}


def sentence(proposal: Proposal, classes: Sequence[str]) -> str:
    """What seems to be wrong, as a sentence.

    Args:
        proposal: what was found.
        classes: names of all classes.
    """
    names = [classes[index] for index in proposal.classes]
    seen_as = [classes[index] for index in proposal.to]
    moves = [f"{name} looks like {other}" for name, other in zip(names, seen_as, strict=False)]
    return _SENTENCES[proposal.kind].format(
        detail=proposal.detail,
        one=names[0] if names else "",
        other=seen_as[0] if seen_as else "",
        pair=" and ".join(names[:2]),
        moves=shortlist(moves, 8),
    )
