"""Many runs: grids, the ledger of their results, statistics over seeds and folds, plots."""
