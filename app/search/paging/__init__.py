"""Pages that follow each other while the library changes: what each is asked by, and what was handed out before."""
