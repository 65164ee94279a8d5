"""segment-anything's predictor as the reference for tests of SAM."""

import numpy as np

SIZE = (97, 53)  # proportions of a wrist; both sides have slightly different scale factors
LARGE = (233, 170)  # of an original image, 2.402 times as high and 3.208 times as wide


def five_masks():
    """Five classes: apart, overlapping, absent, at the border, one pixel."""
    drawn = np.zeros((5, *SIZE), dtype=bool)
    drawn[0, 10:40, 8:20] = True
    drawn[1, 30:70, 15:45] = True
    drawn[3, 80:, 40:] = True
    drawn[4, 50, 5] = True
    return drawn


def ask(predictor, prompt, kind, mask_input=None):
    """Mask, estimated IoU and low-resolution logits of one prompt, from segment-anything's predictor."""
    parts = kind.split("+")
    points = labels = box = None
    if "box" in parts:
        box = np.array(prompt.box)
    if "pos" in parts:
        negative = prompt.negative if "neg" in parts else ()
        points = np.array([prompt.positive, *negative])
        labels = np.array([1] + [0] * len(negative))
    mask, quality, logits = predictor.predict(
        points, labels, box, mask_input=mask_input, multimask_output=False
    )
    return mask[0], quality[0], logits[0]
