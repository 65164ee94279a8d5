"""Figures have no empty place that another arrangement of their panels would fill."""

import pytest

from samcarry.report.panels import filled_columns


@pytest.mark.parametrize(
    ("panels", "most", "columns"),
    [
        (1, 3, 1),
        (2, 3, 2),
        (3, 3, 3),
        (4, 3, 2),
        (5, 3, 3),
        (6, 3, 3),
        (3, 4, 3),
        (5, 4, 3),
        (6, 4, 3),
        (7, 4, 4),
        (12, 4, 4),
    ],
)
def test_as_few_places_as_possible_are_empty(panels, most, columns):
    assert filled_columns(panels, most) == columns
