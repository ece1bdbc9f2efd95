"""P-Nets: policies that segment sentences."""
