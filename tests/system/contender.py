# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One of several processes that want the same lock again and again; test_lock.py starts them.

Arguments: a folder, how many times. In the folder a file exists while someone believes to hold the lock; who finds it
there already has found a second holder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ansible_collections.restartx.core.plugins.module_utils.cluster.connect import connect
from ansible_collections.restartx.core.plugins.module_utils.engine.clock import SystemClock
from ansible_collections.restartx.core.plugins.module_utils.record.lease import Lease

MAX_WAIT = 300.0  # seconds


def main(folder: Path, times: int) -> None:
    cluster = connect({}, os.environ)
    for number in range(times):
        holder = f"{os.getpid()}-{number}"
        lease = Lease(cluster, SystemClock(), "restartx-system", "contended", holder)
        lease.acquire(MAX_WAIT)
        os.close(os.open(folder / "held", os.O_CREAT | os.O_EXCL))
        with (folder / "log").open("a") as log:
            log.write(f"{holder}\n")
        (folder / "held").unlink()
        lease.release()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
