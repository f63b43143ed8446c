"""Tags and words handed on: beside the photos, with a journal and the way back, and as tables."""
