"""Models by name: what is published of them, which files a hub has of them, and the folder where those are kept."""
