"""The hash of the coded picture in a file, which stays the same when metadata are written."""
