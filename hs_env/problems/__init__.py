"""Decision problems: what is decided at each word, and what the decisions make of a sentence.

One file a problem; `hs_env.problems.problem` defines the contract. This module imports none of them, so that `import
hs_env` can register their environments without importing torch.
"""

from hs_env.problems.catalogue import PROBLEMS, class_stem, environment_id

__all__ = ["PROBLEMS", "class_stem", "environment_id"]
