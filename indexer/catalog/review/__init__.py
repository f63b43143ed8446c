"""The review queue: suggestions that nobody has decided on, in which order, and what becomes of a person's word."""
