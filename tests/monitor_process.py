"""The monitor of a server in a process of its own, without pause, to be killed.

Run as `python tests/monitor_process.py URL`; a line on stdout says that it has begun.
"""

import os
import sys
from datetime import UTC, datetime

from app.monitor.worker import Monitor
from app.storage.database import Database, make_engine

if __name__ == "__main__":
    monitor = Monitor(Database(make_engine(sys.argv[1])), share=1)
    os.write(1, b"watching\n")
    while True:
        monitor.sweep(datetime.now(UTC))
