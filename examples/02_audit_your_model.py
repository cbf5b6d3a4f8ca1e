"""Audit a classifier: where is it over-confident, and does a temperature help?

`python examples/02_audit_your_model.py SEED`, seeds 0 to 2, under a minute of one core for each:
the ECE is .062 to .073, and .018 to .029 after one temperature; robustness levels 2 to 4 are
over-confident by .12 to .15 on average, the more robust half by less than .05; images of unknown
classes are told apart with an AUROC of .69 to .76.

`arcal.audit(model, (x, labels))` does this and more in one call, with intervals and a page; here it
is step by step. `audit` takes any module from images in [0, 1] to logits, here a small network
that knows eight of the ten classes; images of the other two are out of distribution.
"""

import sys

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import arcal
from arcal.calibration import auroc, entropy, mean_by_level
from arcal.calibration.posthoc import Temperature, fit_temperature
from arcal.data import Part, load, load_test
from arcal.networks import build
from arcal.transforms import corrupt

R = 10
CORRUPTION = "gaussian_noise"


def audit(model: nn.Module, validation: Part, test: Part, others: Part) -> dict[str, Tensor]:
    """Print the audit; returns its figures. All are of `test`, the temperature of `validation`."""
    log_p = log_probabilities(model, images(test))
    reliability, confidence, correct = calibration(log_p, test.labels)
    print(
        f"{len(test)} images: accuracy {correct.double().mean():.3f}, mean confidence "
        f"{confidence.mean():.3f}, ECE {reliability.ece:.3f} "
        f"({reliability.ece_if_calibrated:.3f} if it were calibrated)\n"
    )

    held_out = log_probabilities(model, images(validation))
    temperature = fit_temperature(held_out, validation.labels)
    scaled = calibration(temperature(log_p), test.labels)
    print(f"temperature {temperature.T:.2f}: ECE {scaled[0].ece:.3f}\n")

    attack = arcal.BoundaryProjection(budget=16)
    rows = torch.arange(len(test)).split(100)
    batches = [(test.ids[i], test.images(i) / 255, test.labels[i]) for i in rows]
    scores = arcal.score(model, batches, attack=attack)
    level = arcal.levels(scores.robustness, scores.ids, R)
    plain = arcal.by_level(confidence, correct, level, R)
    mended = arcal.by_level(scaled[1], scaled[2], level, R)
    distance = mean_by_level(scores.robustness, level, R)
    print("level  distance  accuracy  confidence    gap  gap by temperature")
    for r in range(R):
        print(
            f"{r + 1:5} {distance[r]:9.3f} {plain.accuracy[r]:9.3f} {plain.confidence[r]:11.3f} "
            f"{plain.gap[r]:+6.3f} {mended.gap[r]:+19.3f}"
        )

    print("\nconfidence up to  images  accuracy  confidence")
    for k in reliability.count.nonzero()[:, 0].tolist():
        print(
            f"{(k + 1) / reliability.bins:16.2f} {reliability.count[k]:7} "
            f"{reliability.accuracy[k]:9.3f} {reliability.confidence[k]:11.3f}"
        )

    print(f"\n{CORRUPTION}  accuracy    ECE  ECE by temperature")
    shift = torch.stack([shifted(model, temperature, test, i) for i in range(1, 6)])
    for intensity, (accuracy, ece, by_temperature) in enumerate(shift.tolist(), start=1):
        print(f"{intensity:14} {accuracy:9.3f} {ece:6.3f} {by_temperature:19.3f}")

    outside = log_probabilities(model, images(others))
    by_confidence = auroc(confidence, outside.exp().amax(dim=1))
    by_entropy = auroc(-entropy(log_p), -entropy(outside))
    print(
        f"\n{len(others)} images of classes it does not know: AUROC {by_confidence:.3f} by "
        f"confidence, {by_entropy:.3f} by entropy"
    )
    return {
        "ece": torch.tensor([reliability.ece, scaled[0].ece]),
        "gap": torch.stack([plain.gap, mended.gap]),
        "shift": shift,
        "auroc": torch.tensor([by_confidence, by_entropy]),
    }


def shifted(model: nn.Module, temperature: Temperature, test: Part, intensity: int) -> Tensor:
    """Accuracy, ECE, and ECE by temperature, under the corruption."""
    pixels = test.images(torch.arange(len(test)))
    corrupted = corrupt(pixels, test.ids, type=CORRUPTION, intensity=intensity)
    log_p = log_probabilities(model, corrupted / 255)
    reliability, _, correct = calibration(log_p, test.labels)
    scaled, _, _ = calibration(temperature(log_p), test.labels)
    return torch.tensor([correct.double().mean(), reliability.ece, scaled.ece])


def calibration(log_p: Tensor, labels: Tensor) -> tuple[arcal.Reliability, Tensor, Tensor]:
    """Its reliability, confidence `(N,)` and what is correct `(N,)`."""
    confidence, correct = arcal.confidence_and_correct(log_p.exp(), labels)
    return arcal.Reliability().update(confidence, correct), confidence, correct


@torch.no_grad()
def log_probabilities(model: nn.Module, x: Tensor) -> Tensor:
    """float64 `(N, Z)`: in float32 confidences saturate at 1."""
    return torch.cat([model.eval()(some).double() for some in x.split(250)]).log_softmax(dim=1)


def images(part: Part) -> Tensor:
    """All images of a part, float `(N, C, H, W)` in [0, 1]."""
    return part.images(torch.arange(len(part))) / 255


def trained(part: Part, epochs: int, seed: int) -> nn.Module:
    """A model to audit. Put yours here."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = build("small", classes=len(part.classes), shape=part.shape, generator=generator)
    x, optimizer = images(part), torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(epochs):
        for i in torch.randperm(len(x)).split(128):
            loss = F.cross_entropy(model(x[i]), part.labels[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def main(seed: int = 0, epochs: int = 10, images: int = 5700, test_images: int = 1000):
    """Train a small network on eight classes and audit it."""
    torch.set_num_threads(1)
    known = load(
        "fashion", classes=range(8), validation=1500, images=images, test_images=test_images
    )
    everything = load_test("fashion")
    others = everything.subset(everything.ids[everything.labels >= 8])
    model = trained(known.train, epochs, seed)
    return audit(model, known.validation, known.test, others)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
