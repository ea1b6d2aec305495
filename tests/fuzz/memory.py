"""How much memory and time a piece of work takes at most."""

from __future__ import annotations

import resource
import time
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Peak:
    """`with Peak() as peak: ...`; then peak.gigabytes above what there was before, and peak.seconds of the processor.

    Linux lets the highest mark of a process be set back; elsewhere only what goes above the highest so far is seen.
    """

    def __enter__(self) -> Peak:
        if RESET.exists():
            RESET.write_text("5")
        self.before, self.start = self._highest(), time.process_time()
        return self

    def __exit__(self, *_) -> None:
        self.gigabytes, self.seconds = (self._highest() - self.before) / 1e6, time.process_time() - self.start

    @staticmethod
    def _highest() -> int:
        """Kilobytes."""
        if STATUS.exists():
            return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
