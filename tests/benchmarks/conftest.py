"""The benchmarks are no installed package: their folder's parent is put on the path."""

from __future__ import annotations
