"""What a person sees: help that fits the terminal, tables and colours where there is one."""
