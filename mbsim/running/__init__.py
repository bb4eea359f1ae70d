"""Running a configuration: units of work to results, on this machine or a cluster."""
