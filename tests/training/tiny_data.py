import torch

from arcal.data import Data, InMemory


def tiny(N: int, seed: int, Z: int = 4, name: str = "tiny") -> InMemory:
    """Images of Z classes that can be learned but not perfectly; ids are sparse."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(N) % Z
    pixels = torch.randint(0, 120, (N, 1, 28, 28), generator=generator)
    for z in range(Z):
        pixels[labels == z, :, 6 * z : 6 * z + 6] += 40
    return InMemory(name, torch.arange(N) * 3 + 1, labels, tuple("abcd"[:Z]), pixels.byte())


def tiny_data() -> Data:
    train, validation = tiny(128, 0, name="tiny/train"), tiny(51, 1, name="tiny/validation")
    return Data("tiny", train, validation, tiny(40, 2, name="tiny/test"))
