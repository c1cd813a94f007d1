"""The part that runs beside untrusted programs. Sent as text: standard library only, CPython 3.9 or newer."""
