"""Every route of the page."""

from fastapi.routing import APIRoute

from app.pages import compare, documentation, login, numbers, projects, rules, run, runs, searches, static_files

_NOUNS = (run, runs, numbers, compare, searches, projects, rules, documentation, login, static_files)

ROUTES = [route for noun in _NOUNS for route in noun.router.routes if isinstance(route, APIRoute)]
ROUTERS = [noun.router for noun in _NOUNS]
