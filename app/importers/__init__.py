"""One file a foreign format: read(path, lines) -> ImportedRun. What a file does not say stays unknown, or is noted."""
