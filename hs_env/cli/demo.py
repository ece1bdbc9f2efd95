"""The command `hs-env demo`."""

from __future__ import annotations

from pathlib import Path

import tyro

from hs_env.cli.common import check_new, write_new


def demo(runs: tyro.conf.Positional[tuple[str, ...]], out: Path, words: int = 0, int8: bool = False) -> None:
    """Write an HTML page that computes a classifier in the browser.

    Args:
        runs: Folders of runs, or names of runs that ship with the package.
        out: File to write, which must not exist yet.
        words: Number of most frequent words of each classifier that the page holds; 0 holds all.
        int8: Round matrices to 8 bits, which makes the page much smaller.
    """
    from hs_env.demo import make_demo

    check_new(out)
    page = make_demo(runs, words, int8).encode()
    write_new(out, page)
    print(f"The demo is in {out} ({len(page) / 1e6:.1f} MB)")
