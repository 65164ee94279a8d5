"""Measurements of masks: area, centre, length and width, gaps and angles, each with an interval."""
