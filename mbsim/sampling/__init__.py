"""Random numbers and examples, as functions of labels."""
