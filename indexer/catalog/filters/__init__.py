"""Which folders, places and tags the words of a filter mean. Pure but for links in a path."""
