"""Ask PyPI's advisories about every installed distribution: `python .ci/audit.py`. Exits with 1 where one is known.

pip-audit ends well where the service has answered for none of them. That is told here, and never taken for an audit.
"""

import json
import subprocess
import sys

_WITHIN_S = 25  # the whole of it: a service that is that slow is asked another day


def main() -> int:
    """0 when nothing is known, or nobody could be asked, which is said; 1 when an advisory is known."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--format", "json", "--timeout", "5"]
    try:
        done = subprocess.run(
            [*command, "--progress-spinner", "off"], check=False, capture_output=True, text=True, timeout=_WITHIN_S
        )
        found = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return _not_audited(f"the advisories were not told within {_WITHIN_S} s")
    except (ValueError, KeyError):
        return _not_audited((done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1])
    asked = [one for one in found if "skip_reason" not in one and one["name"] != "curvewise"]
    if not asked:
        return _not_audited(f"the service knows none of {len(found)} distributions")
    known = [(one, vuln) for one in asked for vuln in one["vulns"]]
    for one, vuln in known:
        fixed = ", ".join(vuln["fix_versions"]) or "no version yet"
        print(f"{one['name']} {one['version']}: {vuln['id']}, fixed in {fixed}")
    print(f"audit: {len(asked)} of {len(found)} distributions asked for, {len(known)} advisories")
    return int(bool(known))


def _not_audited(why: str) -> int:
    print(f"NOT AUDITED: no dependency was checked for known vulnerabilities: {why[:300]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
