"""Show what the layers of HM-LSTM do at each character of any text."""

from __future__ import annotations

from collections import Counter

from hs_env.compute import isolated
from hs_env.errors import HsEnvError
from hs_env.language.models import LanguageModel
from hs_env.language.sampling import boundaries_in
from hs_env.models.hm.boundary import ended_levels, operations
from hs_env.models.hm.layers import HMLSTM
from hs_env.render import Operations


@isolated
def operations_in(language_model: LanguageModel, text: str) -> tuple[Operations, str]:
    """Return the operations of all layers at the characters of a text, and the note of `known_text`.

    The model reads the text as the start of a line, if it knows line ends.

    Args:
        language_model: Model with core "hm_lstm".
        text: Text; `known_text` says how the model reads it.

    Raises:
        HsEnvError: If the model knows no character of the text, or is no HM-LSTM.
    """
    if not isinstance(core := language_model.model.core, HMLSTM):
        raise HsEnvError(
            f"UPDATE, COPY and FLUSH are operations of HM-LSTM; the core of this model is {core.title}. "
            "`hs-env lm sample RUN --show TEXT` marks the boundaries of any core that has them."
        )
    known, note = known_text(text, language_model.alphabet)
    before = "\n" if "\n" in language_model.alphabet else ""
    z = boundaries_in(language_model, before + known)[:, None].float()
    taken, ends = (of(z)[len(before) :, 0] for of in (operations, ended_levels))
    return Operations(tuple(known), tuple(map(tuple, taken.t().tolist())), tuple(ends.tolist())), note


def known_text(text: str, alphabet: str) -> tuple[str, str]:
    """Return the text as a model can read it, and a note on what has changed.

    A capital becomes a small letter if the model knows only the small one. Other unknown characters are left out.

    Args:
        text: Text to read.
        alphabet: Characters that the model knows.

    Returns:
        The readable text, and the note, which is empty if nothing has changed.

    Raises:
        HsEnvError: If the model knows no character of the text.
    """
    lowered, dropped, kept = Counter[str](), Counter[str](), []
    for character in text:
        if character in alphabet:
            kept.append(character)
        elif len(small := character.lower()) == 1 and small in alphabet:
            lowered[character] += 1
            kept.append(small)
        else:
            dropped[character] += 1
    if not kept:
        raise HsEnvError(f"The model knows no character of the text {text!r}. It knows {alphabet!r}.")
    notes = []
    if lowered:
        notes.append(f"The model does not know {_listed(lowered)}: read as small letters.")
    if dropped:
        notes.append(f"The model does not know {_listed(dropped)}: left out.")
    return "".join(kept), " ".join(notes)


def _listed(characters: Counter[str]) -> str:
    """List characters in the order of their first occurrence, with the number of each that occurs several times."""
    return ", ".join(repr(each) + (f" ({count} times)" if count > 1 else "") for each, count in characters.items())
