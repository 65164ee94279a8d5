"""Tuning of a SAM on the labelled cases X^n."""
