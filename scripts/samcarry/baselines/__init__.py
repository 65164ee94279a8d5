"""The methods that Table 1 compares with."""
