"""What there is to compute: units of work, times of measurement, and whether it fits."""
