"""The commands that give photos tags and words, and carry them out to other programs and in from them."""
