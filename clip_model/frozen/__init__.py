"""Heads over two frozen towers: features of photos once to disk, and minutes of training on them."""
