"""The `sstar` command: one file per subcommand, assembled in `main`."""
