"""The background work of a server in a process of its own, without pause, to be killed.

Run as `python tests/settler_process.py URL`; a line on stdout says that it has begun.
"""

import os
import sys

from app.storage.database import Database, make_engine
from app.upkeep import Upkeep

if __name__ == "__main__":
    worker = Upkeep(Database(make_engine(sys.argv[1])))
    os.write(1, b"settling\n")
    while True:
        worker.sweep()
        worker.erase()
