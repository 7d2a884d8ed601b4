"""After training: which checkpoint to keep, which to average, and what averaging their predictions gains. Pure."""
