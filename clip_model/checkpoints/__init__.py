"""Models of other programs: what a file or a folder is, read without running anything of it, converted once."""
