"""What is on the disk, against what is known: scanned, compared, paired, moved. Opens no picture itself."""
