import os
import subprocess
import sys
from pathlib import Path

import pytest

from openfm.engines.yielding import claim_cores, yield_cores

_THREADED = """
import sys, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="only Linux has SCHED_IDLE")
def test_a_process_yields_with_all_of_its_threads() -> None:
    with subprocess.Popen([sys.executable, "-c", _THREADED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert yield_cores(child.pid)
        tasks = [task.name for task in Path(f"/proc/{child.pid}/task").iterdir()]
        assert len(tasks) == 2
        policies = {os.sched_getscheduler(int(task)) for task in tasks}
        assert policies == {os.SCHED_IDLE}
        if claim_cores(child.pid):  # takes a privilege
            assert os.sched_getscheduler(child.pid) == os.SCHED_OTHER
        child.communicate()


def test_a_process_that_is_gone_is_nobodys_to_lower() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    yield_cores(child.pid)
