"""Data sets to measure on, read one example at a time: shards, tables, Parquet, class folders. Nothing is unpacked."""
