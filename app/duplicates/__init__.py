"""Photos that are the same picture, nearly the same, or of one burst: found, compared, and never changed."""
