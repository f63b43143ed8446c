"""The text towers without torch: NumPy on the mapped weights file, for a process that asks once and ends."""
