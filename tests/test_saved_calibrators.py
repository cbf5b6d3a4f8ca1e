"""Calibrators in files: bit for bit, and one line for what is none."""

import json

import pytest
import torch
from safetensors.torch import save_file

from arcal.calibration.posthoc import POSTHOC, Temperature, fit_batch_temperature
from arcal.errors import ArcalError
from arcal.store import (
    CALIBRATOR_FORMAT,
    load_calibrator,
    load_header,
    load_stream,
    save_calibrator,
    save_stream,
)


def log_probabilities() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return (4 * torch.randn(300, 3, generator=generator, dtype=torch.float64)).log_softmax(1)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("temperature", torch.float32), *((kind, torch.float64) for kind in POSTHOC)],
)
def test_comes_back_bit_for_bit(kind, dtype, tmp_path):
    log_p = log_probabilities()
    labels = (log_p / 2).exp().multinomial(1, generator=torch.Generator().manual_seed(1))[:, 0]
    energy = -3 * log_p.exp().amax(1)
    calibrator = POSTHOC[kind](log_p, labels, energy=energy).to(dtype)
    path = tmp_path / "folder" / "calibrator.safetensors"
    save_calibrator(calibrator, path)
    found = load_calibrator(path)
    assert type(found) is type(calibrator)
    for name, value in calibrator.state_dict().items():
        assert found.state_dict()[name].dtype == dtype
        assert torch.equal(found.state_dict()[name], value)
    assert torch.equal(found(log_p, energy=energy), calibrator(log_p, energy=energy))
    assert load_header(path)["kind"] == kind


def test_what_is_no_calibrator_is_one_line(tmp_path):
    path, state = tmp_path / "file", Temperature(2.0).state_dict()
    this = {"format": json.dumps(CALIBRATOR_FORMAT)}

    def refused(line):
        with pytest.raises(ArcalError, match=line) as error:
            load_calibrator(path)
        assert "\n" not in str(error.value)
        assert str(path) in str(error.value)

    refused("is missing")
    save_calibrator(Temperature(2.0), path)
    path.write_bytes(path.read_bytes()[:-1])
    refused("is not a calibrator .*: name a file")
    torch.save(state, path)
    refused("is not a calibrator .*: name a file")
    path.write_bytes(b"")
    refused("is not a calibrator .*: name a file")
    save_file(state, path, {"format": "pt"})
    refused("is not a calibrator .*: name a file")
    for metadata in (None, {"format": '"arcal calibrator 2"'}):
        save_file(state, path, metadata)
        refused('its format is .*, not "arcal calibrator 1"')
    for kind in ('"magic"', "[]"):
        save_file(state, path, {**this, "kind": kind})
        refused("kind .* is unknown: those known are temperature, ets")
    for kind in ({}, {"kind": "no JSON"}):
        save_file(state, path, {**this, **kind})
        refused("is not a calibrator")
    save_file({"T": torch.tensor(-1.0)}, path, {**this, "kind": '"temperature"'})
    refused("T must be above 0, not -1")
    save_file({"t": torch.tensor(1.0)}, path, {**this, "kind": '"temperature"'})
    refused("is made of T, not of t")
    path.unlink()
    path.mkdir()
    refused("has no calibrator.safetensors, .*: name another folder")


def test_one_that_could_not_be_read_back_is_not_saved(tmp_path):
    class Mine(Temperature):
        kind = "mine"

    with pytest.raises(ArcalError, match=r"Mine cannot be saved: register it with .*register"):
        save_calibrator(Mine(2.0), tmp_path / "file")
    Mine.kind = "temperature"
    with pytest.raises(ArcalError, match="Mine cannot be saved"):
        save_calibrator(Mine(2.0), tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_a_stream_goes_on_after_a_restart_as_if_there_had_been_none(tmp_path):
    log_p, path = log_probabilities(), tmp_path / "stream.safetensors"
    labels = (log_p / 2).exp().multinomial(1, generator=torch.Generator().manual_seed(1))[:, 0]
    stream = fit_batch_temperature(log_p, labels, window=70, shrink=5)
    for batch in log_p.split(50):
        save_stream(stream, path)
        again = load_stream(path)
        assert torch.equal(again(batch), stream(batch))
        assert again.update(batch) == stream.update(batch)
    assert stream.update(log_p[:20]).n == 70


def test_a_stream_is_no_calibrator_and_the_other_way_round(tmp_path):
    log_p, path = log_probabilities(), tmp_path / "file.safetensors"
    save_stream(fit_batch_temperature(log_p, log_p.argmax(1).roll(7)), path)
    with pytest.raises(ArcalError, match='format is arcal stream 1, not "arcal calibrator 1"'):
        load_calibrator(path)
    save_calibrator(Temperature(2.0), path)
    with pytest.raises(ArcalError, match=r'not a stream .* calibrator 1, not "arcal stream 1"'):
        load_stream(path)
    save_file({"T": torch.tensor(2.0)}, path, {"format": '"arcal stream 1"'})
    with pytest.raises(
        ArcalError, match="not a stream of this version: there is no recent, no thresholds"
    ):
        load_stream(path)
