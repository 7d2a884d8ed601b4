"""Numbers measured on curves, each with its unit; no threshold lives here. Pure."""
