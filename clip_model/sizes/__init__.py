"""How large models are, in plain numbers: presets, and the shape of every tensor of a configuration; without torch."""
