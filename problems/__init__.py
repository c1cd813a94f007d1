"""What has to be solved and what "right" means: the Problem record, loaders, checkers, bundled problems."""

from problems.errors import InfrastructureError, ProblemFileError, SstarError, UserError
from problems.problem import Kind, Problem, Test
from problems.samples import Sample, read_samples, resolve
from problems.sets import ProblemSet, load_set

__all__ = [
    "InfrastructureError",
    "Kind",
    "Problem",
    "ProblemFileError",
    "ProblemSet",
    "Sample",
    "SstarError",
    "Test",
    "UserError",
    "load_set",
    "read_samples",
    "resolve",
]
