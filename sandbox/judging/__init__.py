"""Verdicts by programs that judge: checkers, interactors and validators, in Python and in C++."""
