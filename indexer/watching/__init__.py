"""Follow folders for months: file events or polling, merged into batches; pace, patience, retries."""
