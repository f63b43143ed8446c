"""The command line, a module for each command: options in, services called, results printed."""
