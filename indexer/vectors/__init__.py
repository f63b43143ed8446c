"""The search index: vectors by id, on disk, in memory and on a GPU; and how it is kept in step."""
