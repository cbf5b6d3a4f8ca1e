"""Classifiers of texts of transformers: logits are held against its own tokenizers."""

import csv
import random

import pytest
import torch
from tiny_transformers import NAMES, NUMBERED, TINY, WORDS, bert, saved, tokenizer, transformers

from arcal.attacks import BoundaryProjection
from arcal.auditing import check_model
from arcal.audits import NamedData, NamedModel, Reading, Settings, open_job, run_jobs
from arcal.classifiers import open_classifier
from arcal.classifiers._tokenizer import keep_padding_apart
from arcal.errors import ArcalError


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


SEQUENCES = {
    "Bert": TINY | NUMBERED,
    "Roberta": TINY | NUMBERED,
    "DistilBert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32} | NUMBERED,
    "Electra": TINY | {"embedding_size": 8} | NUMBERED,
}
TEXTS = ["the film is very good", "bad", "a b c d e f g the film was bad and very long " * 3]


@pytest.mark.parametrize("kind", SEQUENCES)
def test_logits_of_embeddings_are_those_of_texts(kind, tmp_path):
    network, folder = saved(bert(kind, **SEQUENCES[kind]), tmp_path / "net", tokenizer(tmp_path))
    opened = open_classifier(f"hf:{folder}")
    assert (opened.kind, opened.class_names, opened.input_shape) == ("texts", NAMES, None)
    assert opened.tokenize is not None
    own = transformers.AutoTokenizer.from_pretrained(folder)
    accepted = ("input_ids", "attention_mask")
    with torch.no_grad():
        for text, logits in zip(TEXTS, opened.model(opened.tokenize(TEXTS)), strict=True):
            batch = own([text], truncation=True, return_tensors="pt")  # alone, not padded
            expected = network(**{name: batch[name] for name in accepted}).logits[0]
            torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    check_model(opened.model, opened.tokenize(TEXTS), classes=3)


@pytest.mark.parametrize("kind", SEQUENCES)
def test_logits_of_pairs_are_those_of_the_tokenizer_itself(kind, tmp_path):
    network, folder = saved(bert(kind, **SEQUENCES[kind]), tmp_path / "net", tokenizer(tmp_path))
    opened = open_classifier(f"hf:{folder}")
    pairs = list(zip(TEXTS, TEXTS[::-1], strict=True))
    tokenize = opened.tokenize
    assert tokenize is not None
    own = transformers.AutoTokenizer.from_pretrained(folder)
    lengths = [len(own(*pair)["input_ids"]) for pair in pairs]
    assert tokenize.lengths(pairs).tolist() == lengths
    assert max(lengths) > tokenize.length
    accepted = tokenize.tokenizer.model_input_names
    with torch.no_grad():
        for (one, other), logits in zip(pairs, opened.model(tokenize(pairs)), strict=True):
            batch = own(one, other, truncation=True, return_tensors="pt")
            expected = network(**{name: batch[name] for name in accepted}).logits[0]
            torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ArcalError, match="all strings, or all tuples of two strings"):
        tokenize([TEXTS[0], pairs[0]])


def test_an_audit_of_pairs_reads_both_columns_in_their_order(tmp_path):
    network, folder = saved(bert(**TINY, **NUMBERED), tmp_path / "net", tokenizer(tmp_path))
    words = [*"abcdefg", "good", "bad", "film"]
    draw = random.Random(0)
    pairs = [
        (" ".join(draw.choices(words, k=1 + k % 9)), " ".join((words * 2)[:k]))
        for k in range(1, 30)
    ]
    own = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        batches = [own(*pair, truncation=True, return_tensors="pt") for pair in pairs]
        logits = torch.cat([network(**batch).logits for batch in batches])
    rows = [(b, a, NAMES[z]) for (a, b), z in zip(pairs, logits.argmax(-1).tolist(), strict=True)]
    with (tmp_path / "nli.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("hypothesis", "premise", "label"), *rows])
    model, settings = NamedModel(f"hf:{folder}"), Settings(order=None)

    def opened(*text):
        data = NamedData(str(tmp_path / "nli.csv"), Reading(text=text))
        return open_job(model, data, settings, name="net", panel=())

    job = opened()
    (audited,) = run_jobs([job])
    assert audited.overall.accuracy.value == 1
    torch.testing.assert_close(
        audited.predictions.logits[0].softmax(-1).float(), logits.softmax(-1), rtol=0, atol=1e-5
    )
    assert audited.facts["Pairs"] == "premise and hypothesis"
    assert any("pairs are cut after 24 tokens" in one.sentence for one in audited.caveats)
    assert job.examples is not None
    assert job.examples.texts is not None
    assert job.examples.texts[9] == f"premise: {pairs[9][0]}\nhypothesis: {pairs[9][1]}"
    (other,) = run_jobs([opened("hypothesis", "premise")])
    assert other.overall.accuracy.value < 1


def test_a_text_is_one_row_whatever_is_beside_it_and_can_be_attacked(tmp_path):
    _, folder = saved(bert(**TINY, **NUMBERED), tmp_path / "net", tokenizer(tmp_path))
    opened = open_classifier(f"hf:{folder}")
    tokenize = opened.tokenize
    assert tokenize is not None
    together, alone = tokenize(TEXTS), tokenize(TEXTS[:1])
    assert together.keys() == {"inputs_embeds", "attention_mask", "token_type_ids"}
    assert together["inputs_embeds"].shape == (3, 24, 16)
    for name, part in alone.items():
        assert torch.equal(part, together[name][:1])
    attacked = BoundaryProjection()(opened.model, together, None)
    assert attacked.success.all()
    padding = together["attention_mask"] == 0
    assert torch.equal(attacked.x[padding], together["inputs_embeds"][padding])


def test_the_length_is_that_of_the_longest_text(tmp_path):
    _, folder = saved(bert(**TINY, **NUMBERED), tmp_path / "net", tokenizer(tmp_path))
    tokenize = open_classifier(f"hf:{folder}").tokenize
    assert tokenize is not None
    assert tokenize.lengths(TEXTS[:2]).tolist() == [7, 3]  # with [CLS] and [SEP]
    assert tokenize.shortened(7).length == 7
    assert tokenize.shortened(99).length == tokenize.length == 24


@pytest.mark.parametrize("kind", SEQUENCES)
def test_a_tokenizer_that_pads_on_the_left_moves_no_text(kind, tmp_path):
    own = tokenizer(tmp_path)
    own.padding_side = "left"
    network, folder = saved(bert(kind, **SEQUENCES[kind]), tmp_path / "net", own)
    opened = open_classifier(f"hf:{folder}")
    assert opened.tokenize is not None
    assert not opened.caveats
    with torch.no_grad():
        for text, logits in zip(TEXTS, opened.model(opened.tokenize(TEXTS)), strict=True):
            batch = own([text], truncation=True, return_tensors="pt")
            ids = {name: batch[name] for name in ("input_ids", "attention_mask")}
            alone = network(**ids).logits[0]
            torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-4)


def test_a_network_that_reads_its_padding_is_warned_of(tmp_path):
    network, folder = saved(bert(**TINY, **NUMBERED), tmp_path / "net", tokenizer(tmp_path))
    tokenize = open_classifier(f"hf:{folder}").tokenize
    assert tokenize is not None
    assert keep_padding_apart(network, tokenize) is None
    unmasked = lambda input_ids, **_: network(input_ids=input_ids)  # noqa: E731
    said = keep_padding_apart(unmasked, tokenize)
    assert said is not None
    assert said.startswith("the model's logits of a text depend on how many padding tokens")


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_network_that_looks_for_the_last_token_is_given_token_ids(side, tmp_path):
    config = transformers.GPT2Config(
        vocab_size=len(WORDS), n_embd=16, n_layer=1, n_head=2, n_positions=32, pad_token_id=0,
        initializer_range=0.5, **NUMBERED,
    )  # fmt: skip
    own = tokenizer(tmp_path)
    own.padding_side = side
    network = transformers.GPT2ForSequenceClassification(config)
    network, folder = saved(network, tmp_path / "net", own)
    opened = open_classifier(f"hf:{folder}")
    assert opened.tokenize is not None
    assert not opened.caveats
    x = opened.tokenize(TEXTS)
    with torch.no_grad():
        for text, logits in zip(TEXTS, opened.model(x), strict=True):
            alone = network(**own([text], truncation=True, return_tensors="pt")).logits[0]
            torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-4)
    assert "token ids" in opened.facts["Normalisation"]
    with pytest.raises(ArcalError, match="choose the order margin, confidence"):
        BoundaryProjection()(opened.model, x, None)


def test_a_network_without_embeddings_is_given_token_ids(tmp_path):
    config = transformers.CanineConfig(
        **TINY, **NUMBERED, max_position_embeddings=32, num_hash_buckets=32, num_hash_functions=4
    )
    network = transformers.CanineForSequenceClassification(config)
    own = transformers.CanineTokenizer(model_max_length=24)
    network, folder = saved(network, tmp_path / "net", own)
    opened = open_classifier(f"hf:{folder}")
    assert opened.tokenize is not None
    inputs = opened.tokenize(TEXTS[:2])
    assert "inputs_embeds" not in inputs
    batch = own(TEXTS[:2], padding="max_length", truncation=True, return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(opened.model(inputs), network(**batch).logits)
