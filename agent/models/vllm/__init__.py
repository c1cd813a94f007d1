"""A `vllm serve` that is started, looked after and ended by us.

command.py    which vLLM there is            hardware.py  the GPUs, else the processor and its memory
modelfacts.py   what the model is            flags.py     the flags for both, each with its reason
plan.py       command line and environment   process.py   one start, and what was left of earlier ones
guardian.py   ends the server with us        log.py       how far a start has come, and why it ended
server.py     starts it again when it dies   managed.py   the model behind it
"""
