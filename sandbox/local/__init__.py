"""The backend that runs programs under Linux namespaces, without an engine."""
