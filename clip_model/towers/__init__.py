"""The two towers, which turn pixels and token ids into raw features, and what makes a trained one faster."""
