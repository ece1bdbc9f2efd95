"""A Hugging Face encoder of a few thousand weights, made in a moment."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = ("the", "movie", "film", "is", "not", "very", "good", "and", "fun", "##ny", "a", ",")
LONGEST = 12


def make_tiny_encoder(folder: Path, *, seed: int = 0) -> Path:
    """A BERT of two layers of width 8 that reads 12 pieces at once; its tokeniser cuts `funny` into `fun ##ny`."""
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
