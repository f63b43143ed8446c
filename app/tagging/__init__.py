"""Tags from stored vectors, what decisions teach of them, and tags that come in."""
