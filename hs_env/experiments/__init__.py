"""Experiments of many runs: grids, a ledger of results, statistics over seeds and folds, tables and plots."""
