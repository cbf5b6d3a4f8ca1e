"""The benchmark of a GPU, rehearsed on a processor: it runs, and finds what is not the same."""

import pytest
import torch

from benchmarks import gpu

OPTIONS = gpu.Options("cpu", networks=("small",), seconds=0.01, size=64, images=20)


@pytest.mark.slow
def test_a_processor_agrees_with_itself(capsys):
    with pytest.raises(SystemExit) as ended:
        gpu.main(OPTIONS)
    said = capsys.readouterr().out
    assert ended.value.code == 0, said
    for what in ("breaks in the graph", "weights after", "ece apart", "does not confirm"):
        (line,) = (line for line in said.splitlines() if what in line)
        assert line.startswith("ok ")
    assert "times their passes alone" in said


@pytest.mark.slow
def test_a_device_with_other_weights_fails(monkeypatch, tmp_path, capsys):
    model_of = gpu.model_of
    opened = []

    def other(folder):
        model = model_of(folder)
        opened.append(model)
        if len(opened) == 2:  # that of the device
            for weight in model.parameters():
                torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))
        return model

    monkeypatch.setattr(gpu, "model_of", other)
    report = gpu.Report()
    gpu.check_trained(tmp_path, torch.device("cpu"), OPTIONS, report)
    assert report.failed >= 3, capsys.readouterr().out


def test_a_figure_beyond_what_it_may_be_fails(capsys):
    report = gpu.Report()
    report.check("ece apart", 0.01, 1e-3)
    report.check("ece apart", float("nan"), 1e-3)
    report.check("ece apart", 1e-3, 1e-3)
    assert report.failed == 2
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["FAILED", "FAILED", "ok"]
