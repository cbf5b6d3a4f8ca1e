"""A small BERT that tells good film reviews from bad ones, trained here on sentences people rated.

`pip download --no-deps vaderSentiment==0.5`, then `python examples/audits/reviews.py`. The archive
(MIT licence) holds 10,605 sentences of reviews, each rated from -4 to 4 by 20 people; every fourth
is written to `reviews-test.csv`, and the folder `bert/` holds the network, which is trained from
random weights, because the package index has no BERT weights.
"""

import csv
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from tokenizers import BertWordPieceTokenizer  # pyright: ignore[reportMissingImports]
from transformers import (  # pyright: ignore[reportMissingImports]
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,  # pyright: ignore[reportAttributeAccessIssue]
)

ARCHIVE = "vaderSentiment-0.5.zip"
CLASSES = ("bad", "good")


def reviews(archive: str) -> list[tuple[str, int]]:
    """Sentences with 1 where their mean rating is above 0, and 0 where it is below."""
    with zipfile.ZipFile(archive) as outer:
        inner = outer.read("vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(inner)) as files:
        file = files.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
        assert file is not None
        lines = file.read().decode().splitlines()
    rated = [line.split("\t")[1:] for line in lines]
    return [(" ".join(text.split()), int(float(r) > 0)) for r, text in rated if float(r) != 0]


def bert(texts: list[str], words: int = 4000) -> tuple[Any, Any]:
    """An untrained network with a tokenizer made of these texts."""
    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator(texts, vocab_size=words, show_progress=False)
    tokenizer = BertTokenizerFast(tokenizer_object=pieces._tokenizer)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=128, max_position_embeddings=64, id2label=dict(enumerate(CLASSES)),
        label2id={name: z for z, name in enumerate(CLASSES)},
    )  # fmt: skip
    return BertForSequenceClassification(config), tokenizer


def train(network: Any, tokenizer: Any, texts: list[str], labels: list[int], epochs: int) -> None:
    tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=64,
                       return_tensors="pt")  # fmt: skip
    y = torch.tensor(labels)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(50):
            some = {name: values[rows] for name, values in tokens.items()}
            loss = network(**some, labels=y[rows]).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def main(archive: str = ARCHIVE, epochs: int = 4) -> None:
    torch.manual_seed(0)
    every = reviews(archive)
    test = every[::4]
    rest = [one for i, one in enumerate(every) if i % 4]
    texts, labels = [text for text, _ in rest], [label for _, label in rest]
    network, tokenizer = bert(texts)
    train(network, tokenizer, texts, labels, epochs)
    for part in (network, tokenizer):
        part.save_pretrained("bert")
    with Path("reviews-test.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([text, CLASSES[label]] for text, label in test)


if __name__ == "__main__":
    main()
