"""±1 weights by XLA programs: levels of commuting proposals in groups."""
