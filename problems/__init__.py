"""Problems and the meaning of "right": the Problem record, loaders, checkers, bundled problems."""

from sstar_code.problems.errors import InfrastructureError, ProblemFileError, SstarError, UserError
from sstar_code.problems.problem import Kind, Problem, Test
from sstar_code.problems.samples import Sample, read_samples, resolve
from sstar_code.problems.sets.load import ProblemSet, load_set

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
