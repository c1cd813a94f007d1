"""The image that the Docker sandbox runs: one Python, its standard library, nothing else."""
