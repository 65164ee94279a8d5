"""The small SAM: crops, genuine and drawn objects to train it on, and its training."""
