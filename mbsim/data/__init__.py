"""What a run leaves: the labelled dataset, and how it lies on disk."""
