"""AugMix's operations against Pillow, its mixture by hand, and what they share with corruptions."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from arcal.transforms.augmix import DEPTH, OPERATIONS, WIDTH, augmix


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=6, channels=3, size=32):
    """Smooth images of 256 values, from black to white, with some texture."""
    generator = np.random.default_rng(5)
    rows, columns = np.mgrid[:size, :size] / size
    waves = [
        np.cos(2 * np.pi * (a * rows + b * columns + phase))
        for a, b, phase in generator.uniform(-2, 2, (count * channels, 3))
    ]
    images = np.stack(waves).reshape(count, channels, size, size)
    images += 0.05 * generator.normal(size=images.shape)
    low, high = images.min((1, 2, 3), keepdims=True), images.max((1, 2, 3), keepdims=True)
    return torch.from_numpy(((images - low) / (high - low) * 255).round()).float() / 255


def pillow(name, image, level, sign):
    """The operation that Pillow has, of an image of 8 bits, at a level in (0, 1)."""
    W, H = image.size
    affine = {
        "shear_x": lambda: (1, sign * 0.3 * level, 0, 0, 1, 0),
        "shear_y": lambda: (1, 0, 0, sign * 0.3 * level, 1, 0),
        "translate_x": lambda: (1, 0, sign * int(level * W / 3), 0, 1, 0),
        "translate_y": lambda: (1, 0, 0, 0, 1, sign * int(level * H / 3)),
    }
    if name in affine:
        linear = Image.Resampling.BILINEAR
        return image.transform(image.size, Image.Transform.AFFINE, affine[name](), linear)
    return {
        "autocontrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
        "posterize": lambda: ImageOps.posterize(image, 4 - int(4 * level)),
        "solarize": lambda: ImageOps.solarize(image, 256 - int(256 * level)),
        "rotate": lambda: image.rotate(sign * int(30 * level), Image.Resampling.BILINEAR),
    }[name]()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_pillow_s(name, channels):
    images = 0.2 + 0.6 * pictures(6, channels)[:, :, :, :30]
    images = (255 * images).round() / 255
    level = torch.tensor([0.03, 0.11, 0.17, 0.29, 0.61, 0.87])
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    result = OPERATIONS[name](images, level, sign)
    exact = name in ("equalize", "posterize", "solarize")
    for image, ours, strength, way in zip(images, result, level, sign, strict=True):
        pixels = (255 * image).round().byte().permute(1, 2, 0).numpy()
        picture = Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels)
        theirs = np.asarray(pillow(name, picture, float(strength), int(way)))
        theirs = torch.from_numpy(theirs.copy()).reshape(30 + 2, 30, channels).permute(2, 0, 1)
        off = (255 * ours - theirs).abs().max()
        assert off < (1e-3 if exact else 1.01), "it rounds down or to 8 bits"
        assert (ours - image).abs().max() > 0.01 or float(strength) < 0.2


def test_a_channel_of_one_value_stays():
    flat = torch.full((2, 3, 8, 8), 0.25)
    for name in ("autocontrast", "equalize"):
        changed = OPERATIONS[name](flat, torch.ones(2), torch.ones(2))
        torch.testing.assert_close(changed, (255 * flat).round() / 255, atol=2e-3, rtol=0)


def test_the_mixture_by_hand():
    """Chain by chain and image by image, with the draws that the generator gives."""
    x, B = pictures(5), 5
    mixed, generator = augmix(x, seeded(3)), seeded(3)
    length = torch.randint(1, DEPTH + 1, (B * WIDTH,), generator=generator)
    which = torch.randint(len(OPERATIONS), (DEPTH, B * WIDTH), generator=generator)
    level = (0.1 + 2.9 * torch.rand(DEPTH, B * WIDTH, generator=generator)) / 10
    sign = 2.0 * torch.randint(2, (DEPTH, B * WIDTH), generator=generator) - 1
    weights = torch.empty(B, WIDTH).exponential_(generator=generator)
    weights /= weights.sum(1, keepdim=True)
    m = torch.rand(B, generator=generator)
    assert set(length.tolist()) == {1, 2, 3}
    operations = list(OPERATIONS.values())
    for b in range(B):
        mixture = torch.zeros(3, 32, 32)
        for k in range(WIDTH):
            row, chain = WIDTH * b + k, x[b : b + 1]
            for step in range(int(length[row])):
                strength = level[step, row : row + 1], sign[step, row : row + 1]
                chain = operations[which[step, row]](chain, *strength)
            mixture += weights[b, k] * chain[0]
        torch.testing.assert_close(mixed[b], (1 - m[b]) * x[b] + m[b] * mixture)


def test_a_seed_gives_the_same_bits_and_leaves_what_is_global():
    x = pictures(4).contiguous(memory_format=torch.channels_last)
    before, state = x.clone(), torch.get_rng_state()
    first = augmix(x, seeded(1))
    assert torch.equal(first, augmix(x, seeded(1)))
    assert not torch.equal(first, augmix(x, seeded(2)))
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(first, augmix(x)), "without a generator it is torch's own"
    assert first.min() >= 0
    assert first.max() <= 1 + 1e-6


# What the operations share with the corruptions for evaluation.
