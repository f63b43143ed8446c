"""The words that photos are tagged with: built in, or read from a person's own file."""
