"""What all commands share: options, documents, what is printed, progress, logs, and how they end."""
