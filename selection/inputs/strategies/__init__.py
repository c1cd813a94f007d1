"""Ways to make new inputs."""
