"""Processes that are killed while they write."""

import os
import signal
import time


def write_until_killed(work, begun, wait):
    """Call a function again and again in another process, which is killed at some moment.

    Parameters
    ----------
    work : callable
        What the other process does; it must not need threads, which a fork does not have.
    begun : callable
        Whether the other process has done something; asked here.
    wait : float
        Seconds between that and its end.
    """
    child = os.fork()
    if child == 0:
        try:
            while True:
                work()
        finally:
            os._exit(1)  # a failure must not go on with the tests
    try:
        end = time.monotonic() + 30
        while not begun():
            assert time.monotonic() < end, "nothing was written"
            time.sleep(0.0002)
        time.sleep(wait)
    finally:
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status)
