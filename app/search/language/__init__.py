"""The query language: from what a person typed, or put into fields, to a query and its filter. Pure."""
