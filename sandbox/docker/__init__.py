"""The backend that runs programs in Docker containers."""
