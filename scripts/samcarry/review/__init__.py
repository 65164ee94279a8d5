"""Choosing what to label, finding doubtful masks and applying corrections."""
