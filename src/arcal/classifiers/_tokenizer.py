"""Turns texts into inputs of a transformers sequence classifier: embeddings, or token ids."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from arcal.errors import ArcalError, first_line

Text = str | tuple[str, str]


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """Turns texts into a dict: `inputs_embeds` float `(N, length, D)`, `attention_mask` and others.

    Without `embeddings` there is `input_ids` int64 `(N, length)` instead, which cannot be
    perturbed.

    Texts are cut or padded to one `length`, because padding to the longest of a batch would make a
    row depend on the others. The embeddings are those of the network before positions are added.
    Attacks perturb them; a perturbed embedding stands for no word.
    """

    tokenizer: Any
    embeddings: nn.Module | None
    length: int

    def __call__(self, texts: Sequence[Text]) -> dict[str, Tensor]:
        """The inputs of these texts, each by itself: cut or padded to `length` tokens.

        Pairs are tuples of two; where they are too long, the longer half is cut first.
        """
        batch = self.token_ids(texts)
        if self.embeddings is None:
            return batch
        return {"inputs_embeds": _embedded(self.embeddings, batch.pop("input_ids")), **batch}

    def token_ids(self, texts: Sequence[Text]) -> dict[str, Tensor]:
        """The same with `input_ids` int64 `(N, length)` in place of the embeddings."""
        return dict(
            self.tokenizer(
                *_halves(texts),
                padding="max_length",
                truncation=True,
                max_length=self.length,
                return_attention_mask=True,
                return_tensors="pt",
            )
        )

    def lengths(self, texts: Sequence[Text]) -> Tensor:
        """The number of tokens of each text or pair before it is cut, int64 `(N,)`."""
        ids = self.tokenizer(*_halves(texts), truncation=False, verbose=False)["input_ids"]
        return torch.tensor([len(row) for row in ids], device="cpu")

    def shortened(self, longest: int) -> "Tokenizer":
        """The same with the length of the longest text, if that is shorter."""
        return replace(self, length=min(self.length, longest))

    def identity(self) -> str:
        """What decides which tokens a text becomes, and how they are padded."""
        own = self.tokenizer
        vocabulary, sides = sorted(own.get_vocab().items()), (own.padding_side, own.truncation_side)
        merges = own.backend_tokenizer.to_str() if own.is_fast else ""
        return f"\n{self.length} {sides} {own.special_tokens_map} {vocabulary} {merges}"


def _halves(texts: Sequence[Text]) -> list[list[str]]:
    """The texts as one list; pairs as two lists, of their first and of their second texts."""
    alone = [text for text in texts if isinstance(text, str)]
    pairs = [text for text in texts if not isinstance(text, str) and len(text) == 2]
    if len(texts) not in (len(alone), len(pairs)):
        raise ArcalError("texts to tokenize have to be all strings, or all tuples of two strings")
    return [[one for one, _ in pairs], [other for _, other in pairs]] if pairs else [alone]


def places(network: Any) -> int:
    """How many tokens have positions; RoBERTa's positions begin after that of its padding token."""
    places = getattr(network.config, "max_position_embeddings", None)
    if places is None or places < 1:  # -1 says that there is no limit
        return sys.maxsize
    before = [
        module.padding_idx + 1
        for name, module in network.named_modules()
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
    ]
    return places - max(before, default=0)


@torch.no_grad()
def _embedded(embeddings: nn.Module, ids: Tensor) -> Tensor:
    device = next(embeddings.parameters()).device
    return embeddings(ids.to(device)).to(ids.device)


@torch.no_grad()
def reads_embeddings(network: Any, tokenize: Tokenizer, folder: Path) -> bool:
    """Whether a network gives the same logits for embeddings as for their tokens.

    Not all do: GPT-2 and its like look for the last word among the ids, and some networks take only
    ids. A network that fails on tokens raises `ArcalError`.
    """
    texts = ["a b c", "a b c d e f g"]
    short = replace(tokenize, length=min(tokenize.length, 16))
    try:
        expected = network(**short.token_ids(texts)).logits
    except Exception as error:  # of the network's own
        raise ArcalError(f"{folder} fails on a short text ({first_line(error)})") from error
    if tokenize.embeddings is None:
        return False
    try:
        logits = network(**short(texts)).logits
    except Exception:  # of the network's own
        return False
    return torch.allclose(logits, expected, rtol=1e-4, atol=1e-4)


PADDED = (
    "the model's logits of a text depend on how many padding tokens are beside it: all texts are "
    "padded to the length of the longest, so that other lengths give other figures"
)


@torch.no_grad()
def keep_padding_apart(network: Any, tokenize: Tokenizer) -> str | None:
    """Pad on the right if padding on the left changes the logits; a sentence if both change them.

    A network with a learned position for each place, such as BERT, gives a text after padding other
    logits than the text alone.
    """
    text, length = "a b c", min(tokenize.length, 16)
    alone = tokenize.shortened(int(tokenize.lengths([text])))
    expected = network(**alone.token_ids([text])).logits
    tokenizer = tokenize.tokenizer
    given = tokenizer.padding_side
    for side in (given, "right"):
        tokenizer.padding_side = side
        padded = replace(tokenize, length=length).token_ids([text])
        if torch.allclose(network(**padded).logits, expected, rtol=1e-4, atol=1e-4):
            return None
    tokenizer.padding_side = given
    return PADDED
