"""Processes that may crash, run on for ever or fill the memory, and what they make of one file."""
