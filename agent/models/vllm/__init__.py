"""A `vllm serve` that is started, looked after and ended by us.

command.py   which vLLM there is          hardware.py  what it can run on
modelfacts.py  what the model is          flags.py     the flags for both, each with its reason
guardian.py  ends the server with us      process.py   start, health, why it died
server.py    starts it again when it dies managed.py   the model behind it
metrics.py   how busy a server is
"""
