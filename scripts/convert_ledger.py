"""Give the results in a ledger of version 0.1 the keys of today, so that `hs-env reproduce` finds them.

The old file stays beside it, with `.bak` after its name: `python scripts/convert_ledger.py LEDGER`.
"""

import sys
from pathlib import Path

from hs_env.experiments.grid import rekeyed
from hs_env.experiments.ledger import Ledger

if __name__ == "__main__":
    print(f"{Ledger(Path(sys.argv[1])).rewrite(rekeyed)} entries have a new key")
