"""Decision problems: the actions at each word and the spans that they make. `problem.py` defines the interface.

This package imports no problem, so `import hs_env` can register their environments without importing torch.
"""

from hs_env.problems.catalogue import PROBLEMS, class_stem, environment_id

__all__ = ["PROBLEMS", "class_stem", "environment_id"]
