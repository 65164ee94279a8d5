"""How sure a model may be: calibrated probabilities, masks with a guarantee, and images that are too new."""
