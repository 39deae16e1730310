"""How many CPU cores this process may use."""

import os


def cores() -> int:
    """The cores that the system gives this process, or fewer if ``OMP_NUM_THREADS`` says so, as in a job of several."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return min(available, int(allowed)) if allowed.isdigit() and int(allowed) else available
