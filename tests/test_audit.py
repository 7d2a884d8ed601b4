"""The audit of dependencies says what it found, and that it found nothing only where somebody was asked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "audit.py"
FINE = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("said", "code", "told"),
    [
        (json.dumps({"dependencies": [FINE, UNKNOWN]}), 0, "audit: 1 of 2 distributions asked for, 0 advisories"),
        (json.dumps({"dependencies": [FINE, BAD]}), 1, "b 2: PYSEC-1, fixed in 3"),
        (json.dumps({"dependencies": [UNKNOWN]}), 0, "NOT AUDITED"),
        ("no network", 0, "NOT AUDITED"),
        ("{}", 0, "NOT AUDITED"),
    ],
)
def test_nothing_is_green_silently(said: str, code: int, told: str, tmp_path: Path) -> None:
    (tmp_path / "pip_audit.py").write_text(f"print({said!r})\n")  # in the place of the one that asks PyPI
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, SCRIPT], check=False, capture_output=True, text=True, env=environ)
    assert done.returncode == code
    assert told in done.stdout + done.stderr
