"""Behaves like `train_lora.py` as far as its keeper can see; `device` says how it fares.

    python fake_trainer.py MODEL

`adapter.txt` in the folder of an adapter holds the feedback that was learnt, a line a trial.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

for line in sys.stdin:
    job = json.loads(line)
    if job["device"] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if job["device"] == "fails":
        reply = {"error": "OutOfMemoryError: CUDA out of memory"}
    else:
        time.sleep(0.3 if job["device"] == "slow" else 0.0)
        folder = Path(job["folder"])
        folder.mkdir()
        (folder / "adapter.txt").write_text(
            "\n".join(one["feedback"] for step in job["steps"] for one in step)
        )
        reply = {"losses": [1.0 / number for number in range(1, len(job["steps"]) + 1)]}
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()
