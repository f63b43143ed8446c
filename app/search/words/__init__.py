"""Photos found by the words that they carry, beside those found by what they show."""
