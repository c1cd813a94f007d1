"""What has to be solved and what "right" means: the Problem record, loaders, checkers, example problems."""

from problems.errors import InfrastructureError, ProblemFileError, SstarError, UserError
from problems.problem import Kind, Problem, Test

__all__ = [
    "InfrastructureError",
    "Kind",
    "Problem",
    "ProblemFileError",
    "SstarError",
    "Test",
    "UserError",
]
