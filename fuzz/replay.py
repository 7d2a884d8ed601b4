"""Check every input of a folder: `python -m fuzz.replay TARGET FOLDER`. Names those that fail; exits with 1 then."""

import sys
import traceback
from pathlib import Path

from fuzz.bounds import bounded
from fuzz.targets import named


def main() -> int:
    """0 when every input was fine."""
    check, failed = bounded(named(sys.argv[1]).check), 0
    for path in sorted(Path(sys.argv[2]).iterdir()):
        try:
            check(path.read_bytes())
        except Exception as error:
            failed += 1
            print(f"{path}: {traceback.format_exception_only(error)[-1].strip()}", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
