"""Choosing hyper-parameters in seven steps, over the runs of a search. Pure."""
