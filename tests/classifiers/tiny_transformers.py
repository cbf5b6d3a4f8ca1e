"""Tiny classifiers of transformers, of weights drawn at random, and a tokenizer of a few words."""

from typing import Any

import pytest

transformers: Any = pytest.importorskip(
    "transformers", reason="transformers is not installed: make test-all installs it"
)

NAMES = ("cat", "dog", "fox")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefg"]
WORDS += ["good", "bad", "film", "the", "is", "was", "very"]
TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": 0.5,
}
NUMBERED = {"id2label": dict(enumerate(NAMES)), "label2id": {n: i for i, n in enumerate(NAMES)}}


def saved(model, folder, *others):
    transformers.utils.logging.disable_progress_bar()
    for one in (model, *others):
        one.save_pretrained(folder)
    return model.eval(), folder


def tokenizer(folder):
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    return transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=24)


def bert(kind="Bert", **options):
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(WORDS), max_position_embeddings=32, pad_token_id=0, **options
    )
    return getattr(transformers, f"{kind}ForSequenceClassification")(config)
