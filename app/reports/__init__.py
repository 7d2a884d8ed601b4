"""One file a format: render(diagnosis) -> str. Words and layout only; nothing is judged here."""
