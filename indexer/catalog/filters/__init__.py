"""Which photos pass a filter: words against folders, places, tags and names in Python, the rest in SQL."""
