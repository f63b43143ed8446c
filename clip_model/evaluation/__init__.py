"""How good a model is: zero-shot classifiers, recall, a linear probe."""
