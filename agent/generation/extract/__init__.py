"""Takes the program out of a model's answer: `extract_code`.

Looser than any standard where models are: marks may be glued to code, missing, escaped or of any kind. The
syntax tree decides everything, nothing is run, and time is linear in the answer's length.
"""

from sstar_code.agent.generation.extract.answer import Extraction, extract_code
from sstar_code.agent.generation.extract.fences import Block, find_blocks

__all__ = ["Block", "Extraction", "extract_code", "find_blocks"]
