"""Scores of single cases and statistics over cases (paper §3.1, Table 1)."""
