"""The web page, rendered on the server: routes, templates/ and static/. Reads through the service, changes nothing."""
