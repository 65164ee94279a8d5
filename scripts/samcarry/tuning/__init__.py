"""Choosing settings on the validation split with Optuna."""
