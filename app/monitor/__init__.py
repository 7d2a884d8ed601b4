"""Judges runs in the background, so that lists, pages and webhooks know where each stands."""
