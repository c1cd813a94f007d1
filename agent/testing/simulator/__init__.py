"""A simulated engine, and an OpenAI-compatible server in front of it: load and faults without a GPU.

`Engine` is the schedule alone, on a clock that the caller moves; `LiveEngine` moves it with the event loop's;
`SimulatedModel` asks it in process; `Simulator` serves it over HTTP; `run_virtual` runs a program on a clock
that leaps over every wait.
"""

from sstar_code.agent.testing.server import Fault
from sstar_code.agent.testing.simulator.engine import (
    CPU_TINY,
    GPU_7B,
    PRESETS,
    Engine,
    EngineSpec,
    Job,
    QueueFullError,
)
from sstar_code.agent.testing.simulator.model import Planned, SimulatedModel, run_virtual
from sstar_code.agent.testing.simulator.server import Simulator

__all__ = [
    "CPU_TINY",
    "GPU_7B",
    "PRESETS",
    "Engine",
    "EngineSpec",
    "Fault",
    "Job",
    "Planned",
    "QueueFullError",
    "SimulatedModel",
    "Simulator",
    "run_virtual",
]
