"""A simulated engine, and an OpenAI-compatible server in front of it: load and faults without a GPU.

`Engine` is the schedule alone, on a clock that the caller moves; `LiveEngine` moves it with the event loop's;
`SimulatedModel` asks it in process; `Simulator` serves it over HTTP; `run_virtual` runs a program on a clock
that leaps over every wait.
"""

from agent.models.simulator.clock import run_virtual
from agent.models.simulator.engine import Engine, Job, QueueFullError
from agent.models.simulator.faults import Fault, Faults
from agent.models.simulator.live import LiveEngine
from agent.models.simulator.model import Planned, SimulatedModel
from agent.models.simulator.server import Simulator
from agent.models.simulator.spec import CPU_TINY, GPU_7B, PRESETS, EngineSpec

__all__ = [
    "CPU_TINY",
    "GPU_7B",
    "PRESETS",
    "Engine",
    "EngineSpec",
    "Fault",
    "Faults",
    "Job",
    "LiveEngine",
    "Planned",
    "QueueFullError",
    "SimulatedModel",
    "Simulator",
    "run_virtual",
]
