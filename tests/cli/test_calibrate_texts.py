"""A calibrated classifier of texts: exported, it takes what its own tokenizer gives."""

from pathlib import Path
from typing import Any

import pytest
import torch

from arcal.calibration.posthoc import Calibrated
from arcal.classifiers import open_classifier
from arcal.classifiers._exporting import run_onnx
from arcal.store import load_calibrator
from tests.test_cli import arcal, succeeds

transformers: Any = pytest.importorskip(
    "transformers", reason="transformers is not installed: make test-all installs it"
)

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghij", "good", "bad"]
NEW = ["good", "a b c", "b a d e f g h i j a b c d e f g h good", "bad bad c"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A classifier with weights drawn at random, and 200 texts with labels near its own answers."""
    monkeypatch.chdir(tmp_path)
    Path("vocab.txt").write_text("\n".join(WORDS))
    tokenizer = transformers.BertTokenizerFast("vocab.txt", model_max_length=24)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=len(WORDS), max_position_embeddings=32, pad_token_id=0, hidden_size=16,
            num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=3,
            initializer_range=0.5,
        )  # fmt: skip
        network = transformers.BertForSequenceClassification(config).eval()
        texts = [
            " ".join(WORDS[i] for i in torch.randint(4, len(WORDS), (1 + n % 7,)).tolist())
            for n in range(200)
        ]
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        labels = (network(**batch).logits.detach() / 2).softmax(1).multinomial(1)[:, 0].tolist()
    transformers.utils.logging.disable_progress_bar()
    for one in (network, tokenizer):
        one.save_pretrained("net")
    rows = [f"{text},{label}" for text, label in zip(texts, labels, strict=True)]
    Path("texts.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    return tmp_path


def calibrate(*formats: str) -> None:
    usual = ("--calibrators", "temperature", "--export")
    succeeds("calibrate", "hf:net", "texts.csv", *usual, *formats)


def new_texts() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Tokens of texts of other lengths, by the tokenizer alone, and the probabilities they have."""
    tokens = transformers.AutoTokenizer.from_pretrained("net")(
        NEW, padding=True, return_tensors="pt"
    )
    opened, calibrator = (
        open_classifier("hf:net"),
        load_calibrator("calibrated/calibrator.safetensors"),
    )
    assert isinstance(opened.model, torch.nn.Module)
    assert opened.tokenize is not None
    with torch.no_grad():
        p = Calibrated(opened.model, calibrator).probabilities(opened.tokenize(NEW))
    assert p.amax(1).std() > 0.05  # they differ, or the test would hold of anything
    return dict(tokens), p


def test_a_program_takes_what_the_tokenizer_gives(folder):
    calibrate("pt2")
    tokens, p = new_texts()
    program = torch.export.load("calibrated/calibrated.pt2").module()
    torch.testing.assert_close(program(**tokens).double().exp(), p, rtol=0, atol=1e-5)
    one = {name: ids[:1, :3] for name, ids in tokens.items()}  # "good" alone
    torch.testing.assert_close(program(**one).double().exp(), p[:1], rtol=0, atol=1e-5)


@pytest.mark.slow
def test_onnxruntime_takes_what_the_tokenizer_gives(folder):
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="an extra: pip install arcal[onnx]")
    calibrate("onnx")
    tokens, p = new_texts()
    log_p = run_onnx(Path("calibrated/calibrated.onnx"), tokens)
    torch.testing.assert_close(log_p.double().exp(), p, rtol=0, atol=1e-5)


def test_scores_by_another_tokenizer_are_stale(folder):
    score = ("score", "hf:net", "texts.csv", "--order", "margin")
    succeeds(*score)
    succeeds(*score)
    words = [*WORDS[:4], *reversed(WORDS[4:])]
    Path("vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast("vocab.txt", model_max_length=24).save_pretrained("net")
    assert "scores.parquet is stale: its model is" in arcal(*score).line
