"""Curvewise: a learning-curve diagnosis service."""
