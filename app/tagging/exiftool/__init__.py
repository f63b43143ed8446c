"""ExifTool, kept open: the process, what it is asked, and the folder in which it works."""
