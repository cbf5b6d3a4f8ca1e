"""Networks and attacks of every kind of fault, as the lines of a file that is read."""

NETWORKS = """
import torch
from torch import nn

class Outputs(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(x.flatten(1))

torch.manual_seed(0)
grey = nn.Sequential(nn.Flatten(), nn.Linear(784, 3)).eval()
pets = nn.Sequential(nn.Flatten(), nn.Linear(768, 2)).eval()
rows = nn.Linear(2, 2).eval()
number = 3
text = "a text"
nothing = None
training = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 3)).train()
four = nn.Sequential(nn.Flatten(), nn.Linear(784, 4)).eval()
one = nn.Sequential(nn.Flatten(), nn.Linear(784, 1)).eval()
softmax = nn.Sequential(nn.Flatten(), nn.Linear(784, 3), nn.Softmax(1)).eval()
nan = Outputs(lambda x: x[:, :3] * float("nan"))
infinite = Outputs(lambda x: x[:, :3] / 0)
integers = Outputs(lambda x: x[:, :3].long())
stochastic = Outputs(lambda x: torch.rand(len(x), 3))
batched = Outputs(lambda x: x[:, :3] - x.mean())
flat = Outputs(lambda x: x[:, 0])
image = Outputs(lambda x: x.view(-1, 1, 28, 28))
string = Outputs(lambda x: "logits")
raises = Outputs(lambda x: 1 / 0)
exits = Outputs(lambda x: __import__("sys").exit(0))
recursive = Outputs(lambda x: recursive(x))
double = nn.Sequential(nn.Flatten(), nn.Linear(784, 3)).double().eval()
writes = Outputs(lambda x: x.mul_(2)[:, :3])

def attack(model, x, bounds):
    return x

def attack_of_two(model, x): ...

def attack_that_raises(model, x, bounds):
    raise RuntimeError("no attack\\nhere")

from arcal.calibration.posthoc import Calibrator

class Unfitted(Calibrator):
    kind = "unfitted"

class Taken(Calibrator):
    kind = "ets"
    @classmethod
    def fit(cls, log_p, labels): ...

class Failing(Calibrator):
    kind = "failing"
    @classmethod
    def fit(cls, log_p, labels):
        raise RuntimeError("no fit\\nhere")

def fails():
    raise RuntimeError("no weights\\nhere")

def needs(size):
    return grey
"""
