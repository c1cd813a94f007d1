"""`python -m sstar_code` is `sstar`, where its script is not on the path."""

from sstar_code.agent.cli.main import main

main()
