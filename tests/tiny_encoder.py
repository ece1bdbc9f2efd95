"""A Hugging Face encoder of a few thousand weights, made in a moment."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

WORDS = ("the", "movie", "film", "is", "not", "very", "good", "and", "fun", "##ny", "a", ",")
LONGEST = 12


def make_tiny_encoder(folder: Path, *, seed: int = 0) -> Path:
    """A BERT of two layers of width 8 that reads 12 pieces at once; its tokeniser cuts `funny` into `fun ##ny`."""
    pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    pieces = {piece: at for at, piece in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS))}
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [(name, pieces[name]) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(BertConfig(vocab_size=len(pieces), max_position_embeddings=LONGEST, **sizes)).save_pretrained(folder)
    return folder


_SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
KINDS = {
    "roberta": _SIZES | {"max_position_embeddings": 2 + LONGEST, "pad_token_id": 1},  # counts from behind the padding
    "distilbert": {"dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 16, "max_position_embeddings": LONGEST},
    "gpt2": {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": LONGEST},  # norms its last layer, pads with nothing
    "deberta-v2": _SIZES | {"max_position_embeddings": LONGEST},  # cannot do without layers
    "modernbert": _SIZES | {"num_hidden_layers": 3, "max_position_embeddings": LONGEST, "pad_token_id": 1,
                            "cls_token_id": 0, "sep_token_id": 2},  # says of each layer what it attends to
    "t5": {"d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 2, "num_heads": 2},  # has a decoder
    "bart": {"d_model": 8, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2,
             "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "max_position_embeddings": LONGEST},
    "xlnet": {"d_model": 8, "n_layer": 2, "n_head": 2, "d_inner": 16},  # says that it reads -1 pieces
}  # fmt: skip
"""Types of models, and what makes a small one."""


def make_byte_level_encoder(folder: Path, kind: str) -> Path:
    """A model of two layers of width 8; its tokeniser takes the space before a word for a part of the word."""
    pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    words = ["Ġthe", "Ġmovie", "Ġis", "Ġgood", "Ġfun"]
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    merges = [(word[:at], word[at]) for word in words for at in range(1, len(word))]
    pieces = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), *dict.fromkeys(map("".join, merges))]
    vocabulary = {piece: at for at, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, list(dict.fromkeys(merges)), unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **names, **({} if kind == "gpt2" else {"pad_token": "<pad>"})
    ).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = AutoConfig.for_model(kind, vocab_size=len(vocabulary), bos_token_id=0, eos_token_id=2, **KINDS[kind])
        AutoModel.from_config(config).save_pretrained(folder)
    return folder
