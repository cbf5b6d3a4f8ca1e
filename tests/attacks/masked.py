"""A tiny transformer whose rows have masks of their own, and inputs on which a mask matters."""

import torch
from closed_forms import seeded
from torch import nn


class Masked(nn.Module):
    """Attention over embeddings `(N, T, D)`: every position is attended to unless `mask` is 0."""

    def __init__(self, D=4, Z=4):
        super().__init__()
        self.embed = nn.Linear(D, 3 * D)
        self.dropout = nn.Dropout(0.5)
        self.classify = nn.Sequential(nn.Linear(D, 16), nn.Tanh(), nn.Linear(16, Z))

    def forward(self, embeddings, mask):
        assert len(embeddings), "many a model takes no empty batch"
        q, k, v = self.embed(embeddings).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
        scores = scores.masked_fill(mask[:, None, :] == 0, -torch.inf)
        attended = scores.softmax(dim=-1) @ v
        return self.classify(self.dropout((embeddings + attended)[:, 0]))


def masked(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Masked().double().eval()
        for p in model.parameters():
            p.data *= 2
    return model


def masked_inputs(N=5, T=5, D=4):
    """Rows of 1 to T positions, none as long as the next; what is padding is large."""
    mask = (torch.arange(T) <= torch.arange(N)[:, None] * 2 % T).long()
    x = torch.randn(N, T, D, generator=seeded(1), dtype=torch.float64)
    return {"embeddings": torch.where(mask[:, :, None] == 1, x, 5 * x), "mask": mask}
