"""How a file's coded picture is built, and its hash, which stays the same when metadata are written."""
