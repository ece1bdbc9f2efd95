"""Completion in the shells that are installed here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from hs_env import cli
from hs_env.cli.app import COMMANDS, SHELLS
from hs_env.cli.completion import completion_script


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "hs-env.bash"
    path.write_text(completion_script("bash"), encoding="utf-8")
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], {*COMMANDS}),
        (["train", "--jo"], {"--jobs", "--joint-epochs", "--joint-learning-rate"}),
        (["train", "--corpus", "mov"], {"movie_reviews"}),
        (["train", "--model", "hs"], {"hs_lstm"}),
        (["train", "--agent", "re"], {"reinforce", "recurrent_ppo"}),
        (["train", "--reward", "hs"], {"hs_lstm"}),
        (["train", "--preset", "phr"], {"phrases-small"}),
        (["lm", "train", "--preset", "ptb-h"], {"ptb-hour"}),
        (["tune", "--model", "hs"], {"hs_lstm"}),
        (["train", "--warm-start", "fun"], {"function_words"}),
        (["train", "--agent.estimator", "re"], {"rebar", "relax"}),
        (["train", "--agent.st"], {"--agent.steps"}),  # of another agent than the default one
        (["segment", "--run", "movie_reviews_s"], {"movie_reviews_skim_lstm"}),
        (["evaluate", "--format", "c"], {"csv"}),
        (["corpora", "phrases_"], {"phrases_deep"}),
        (["lm", "s"], {"sample", "show"}),
        (["lm", "show", "--run", "movie"], {"movie_reviews_characters", "movie_reviews_segments"}),
        (["hub", "p"], {"push", "pull"}),
        (["hub", "card", "phrases_h"], {"phrases_hm_lstm"}),
        (["lm", "sample", "--te"], {"--temperature"}),
    ],
)
def test_bash_completes(script, words, expected):
    typed = " ".join(f"'{word}'" for word in ["hs-env", *words])
    code = f"source '{script}'; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _shtab_hs_env"
    code += """; printf '%s\\n' "${COMPREPLY[@]}" """
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True)
    assert {line.strip() for line in done.stdout.splitlines()} - {"--help", "-h", "--version", ""} == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_printed_for_each_shell(shell, capsys):
    cli.main(["--print-completion", shell])
    script = capsys.readouterr().out
    assert "movie_reviews" in script
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n", "/dev/stdin"], input=script, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr


def test_another_shell_is_wrong_usage(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--print-completion", "tcsh"])
    assert stopped.value.code == 2
    assert "invalid choice: 'tcsh'" in capsys.readouterr().err
