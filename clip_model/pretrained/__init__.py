"""Two published towers brought into one space: features once to disk, heads on them in minutes, then both towers."""
