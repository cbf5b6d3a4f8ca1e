"""Predictions of a run: its models' own, kept in its folder, and of nothing else."""

import pytest
import torch
from torch import nn

from arcal.data import InMemory, as_input
from arcal.errors import ArcalError
from arcal.evaluation import predict, predict_part
from arcal.store import load_tensors
from arcal.training.saved_run import models_of

pytestmark = pytest.mark.processor


def test_predictions_are_the_models_own_and_are_kept(trained, copied):
    (run,), test = copied([trained.pair]), trained.data.test
    first = predict(run, test, "test")
    with torch.no_grad():
        expected = torch.stack([model(as_input(test.pixels, "cpu")) for model in models_of(run)])
    torch.testing.assert_close(first.logits, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(first.ids, test.ids)
    assert torch.equal(first.labels, test.labels)
    tensors, _ = load_tensors(run.predictions("test"))
    assert set(tensors) == {"ids", "labels", "logits"}
    written = run.predictions("test").stat().st_mtime_ns
    assert torch.equal(predict(run, test, "test").logits, first.logits)
    assert run.predictions("test").stat().st_mtime_ns == written


def test_predictions_of_other_data_or_another_checkpoint_are_refused(trained, copied):
    (run,) = copied(trained.vanilla[:1])
    predict(run, trained.data.test, "test")
    with pytest.raises(ArcalError, match=r"test.safetensors is of different data from tiny/"):
        predict(run, trained.data.validation, "test")
    run.checkpoint.write_bytes(trained.vanilla[1].checkpoint.read_bytes())
    with pytest.raises(
        ArcalError, match=r"test.safetensors is of a different checkpoint: delete it"
    ):
        predict(run, trained.data.test, "test")


def test_any_models_predict_any_part(trained):
    models = [nn.Sequential(nn.Flatten(), nn.Linear(784, 3)) for _ in range(2)]
    validation = trained.data.validation
    predictions = predict_part(models, validation)
    x = as_input(validation.pixels, "cpu")
    with torch.no_grad():
        expected = torch.stack([model(x) for model in models])
    torch.testing.assert_close(predictions.logits, expected)
    assert torch.equal(predictions.ids, validation.ids)
    with pytest.raises(ArcalError, match="tiny/validation is empty: there is nothing to predict"):
        predict_part(models, validation.subset(validation.ids[:0]))


def test_a_model_that_views_its_activations_as_rows_predicts():
    class Viewing(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.last = nn.Conv2d(3, 4, 3), nn.Linear(16, 2)

        def forward(self, x):
            return self.last(self.convolution(x).view(len(x), -1))

    pixels = torch.arange(5 * 48).view(5, 3, 4, 4).to(torch.uint8)
    part = InMemory("toy", torch.arange(5), torch.zeros(5).long(), ("a", "b"), pixels)
    model = Viewing()
    with torch.no_grad():
        torch.testing.assert_close(predict_part([model], part).logits[0], model(pixels / 255))


def test_a_model_in_training_mode_is_evaluated_and_left_as_it_was(trained):
    validation = trained.data.validation
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Dropout(0.5), nn.LazyLinear(3))
    net.eval()(torch.zeros(1, *validation.shape))
    expected = predict_part([net], validation).logits
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net.train()
    assert torch.equal(predict_part([net], validation).logits, expected)
    assert all(module.training for module in net.modules())
    assert all(torch.equal(net.state_dict()[name], tensor) for name, tensor in before.items())
