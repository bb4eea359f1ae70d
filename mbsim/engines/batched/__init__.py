"""SGD of many students at once, by batched products of XLA."""
