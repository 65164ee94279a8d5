"""Predictions of a trained model on new images, and exports of masks and models."""
