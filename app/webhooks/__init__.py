"""Telling others what happened to runs: who is told, in which words, and how it is brought to them."""
