"""What a server and the commands beside it on this machine know of each other. Nothing here imports what takes long."""
