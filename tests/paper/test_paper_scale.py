"""The paper's scale against appendix A, and what it trains for a few steps on synthetic images.

Networks are narrower and less deep here; of their own depth they are run once.
"""

import copy
import json
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from arcal.attacks import ATTACKS, CarliniWagner
from arcal.data import Data, Folder, InMemory, load
from arcal.evaluation import method_of_run
from arcal.networks import NETWORKS, ResNet101, ResNetV2, WideResNet
from arcal.paper import items_named
from arcal.paper.plan import plan_runs
from arcal.paper.scales import Chosen, Sources, settings_of
from arcal.paper.variants import (
    ADALS,
    AR_ADALS,
    CCAT,
    JOINT,
    MIXUP,
    OF_ENSEMBLE,
    ON_THE_FLY,
    VANILLA,
)
from arcal.smoothing import epsilon_of
from arcal.store import load_header
from arcal.training._train import train
from arcal.training.saved_run import read_run

IMAGENET = "imagenet-resnet101"
EVERY = settings_of("paper", Sources("cifar10", "cifar100", "imagenet"))
SETTINGS = {name: setting for name, setting in EVERY.items() if name != "cifar10-headline"}
"""Those of the paper."""
R2 = AR_ADALS.with_levels(2)
TRAINED = [
    (planned.setting.name, variant)
    for planned in plan_runs(items_named(("all",)), SETTINGS)
    for variant in planned.trained
    if variant.R in (None, 1, 2)  # there are ten images
]
"""All that `arcal reproduce all --scale paper` trains."""
ATTACK = CarliniWagner(search_steps=1, iterations=2)
SMALLER: dict[str, Any] = {
    "resnet29": partial(ResNetV2, depth=11),
    "wrn-28-10": partial(WideResNet, depth=10, width=1),
    "resnet101": partial(ResNet101, blocks=(1, 1, 1, 1), width=8),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """By the name of a setting: images of its shape, and of its number of classes but ImageNet."""
    folder = tmp_path_factory.mktemp("imagenet")
    generator = np.random.default_rng(0)
    for part, count in (("train", 5), ("val", 10)):
        for i in range(2 * count):
            path = folder / part / f"n{i % 2}" / f"{i:02}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 256, (9, 12, 3), np.uint8)
            Image.fromarray(pixels).resize((300, 240 + i)).save(path)
    ten, hundred = cifar_like(10), cifar_like(100)
    by_setting = dict(zip(SETTINGS, (ten, ten, hundred, load(str(folder))), strict=True))
    small = copy.deepcopy(by_setting[IMAGENET])
    for part in (small.train, small.validation, small.test):
        assert isinstance(part, Folder)
        part.size = 32
    return by_setting | {"smaller": small}


def cifar_like(Z):
    parts = []
    for seed, (name, count) in enumerate((("train", 10), ("validation", 10), ("test", 4))):
        pixels = torch.randint(
            0, 256, (count, 3, 32, 32), generator=torch.Generator().manual_seed(seed)
        )
        names = tuple(map(str, range(Z)))
        ids = torch.arange(count)
        parts.append(InMemory(name, ids, 7 * ids % Z, names, pixels.byte()))
    return Data("cifar", *parts)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def chosen_of(setting):
    return Chosen(*(grid[0] for grid in (setting.epsilons, setting.alphas, setting.adals_alphas)))


def runs_of(setting, variant):
    """The runs of a variant at the paper's scale, of two seeds."""
    return replace(setting, seeds=setting.seeds[:2]).runs(variant, chosen_of(setting))


def in_short(run):
    """The same over an epoch or two, in batches of 5, in the precision that processors have."""
    epochs = 2 if run.settings.get("rescore") else 1
    recipe = run.recipe.shortened(epochs)
    at_once = recipe.core_batch and 3
    rate = recipe.learning_rate * 5 / recipe.batch_size  # so that no batch of noise diverges
    recipe = replace(
        recipe, batch_size=5, core_batch=at_once, learning_rate=rate, precision="32-true"
    )
    settings = run.settings | ({"rescore": (1,)} if epochs == 2 else {})
    return replace(run, recipe=recipe, settings=settings)


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setitem(ATTACKS, "carlini-wagner", ATTACK)
    for network, smaller in SMALLER.items():
        monkeypatch.setitem(NETWORKS, network, smaller)


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        pytest.param(
            name,
            variant,
            id=f"{name}: {variant.title}",
            marks=pytest.mark.slow if name == IMAGENET else (),
        )
        for name, variant in TRAINED
    ],
)
def test_every_run_takes_its_steps(name, variant, data, root, quickly):
    small = name == IMAGENET and variant != VANILLA
    images = data["smaller" if small else name]  # 32 x 32, for ImageNet's 224 x 224
    setting, Z = SETTINGS[name], len(images.classes)
    run = in_short(runs_of(setting, variant)[0])
    folder = train(run, root / name, data=images)

    records = folder.epochs()
    assert len(records) == run.recipe.epochs
    assert all(np.isfinite([record["loss"], record["nll"]]).all() for record in records)
    assert load_header(folder.checkpoint)["epoch"] == len(records)
    assert read_run(folder).run.seeds == ((0, 1) if variant == OF_ENSEMBLE else (0,))
    assert ("rescoring_seconds" in records[0]) == (run.recipe.epochs == 2)
    if (
        run.method in ("adals", "ar-adals") and variant != JOINT
    ):  # Eq. 3 by the paper's alpha; Eq. 4
        alpha: Any = 0.001 if name == IMAGENET else 0.005
        if variant == ADALS:
            alpha = setting.adals_alphas[0]
        gap = torch.tensor(records[0]["gap"], dtype=torch.float64)
        assert len(gap) == run.settings.get("R", 1)
        expected = epsilon_of((1 - alpha * gap).clamp(max=1), Z)
        assert records[0]["epsilon"] == pytest.approx(expected.tolist(), abs=1e-12)


def test_settings_are_appendix_a():
    """Network, recipe, epochs, batch size; seeds; epsilon, alpha of AdaLS and AR-AdaLS."""
    schedule = {"0": 0.001, "60": 0.05}
    expected = {
        "cifar10-resnet29": ("resnet29", "resnet29", 200, 256, 5, 0.02, 0.05, 0.005),
        "cifar10-wrn": ("wrn-28-10", "wrn-28-10", 200, 512, 4, 0.02, 0.005, 0.005),
        "cifar100-wrn": ("wrn-28-10", "wrn-28-10", 200, 512, 4, 0.07, 0.005, 0.005),
        "imagenet-resnet101": ("resnet101", "imagenet", 90, 4096, 5, 0.02, 0.03, schedule),
    }
    actual = {}
    for name, setting in SETTINGS.items():
        run, recipe, chosen = setting.run, setting.run.recipe, chosen_of(setting)
        trained = (run.network, recipe.name, recipe.epochs, recipe.batch_size)
        picked = (chosen.epsilon, chosen.adals_alpha, chosen.alpha)
        actual[name] = (*trained, len(setting.seeds), *picked)
        assert (run.images, run.test_images, run.classes) == (None, None, None)
        assert run.validation is None, "5,000 of CIFAR's training images, half of ImageNet's val"
    assert actual == expected


def test_the_headline_is_of_appendix_a_with_another_attack():
    headline, resnet = EVERY["cifar10-headline"], SETTINGS["cifar10-resnet29"]
    (planned,) = plan_runs(items_named(("headline",)), EVERY)
    assert planned.setting == headline
    assert headline.run == resnet.run
    assert runs_of(headline, VANILLA) == runs_of(resnet, VANILLA), "they share folders"
    ours, theirs = (runs_of(one, AR_ADALS)[0].settings for one in (headline, resnet))
    assert ours == theirs | {"attack": "boundary-projection-quick"}


@pytest.mark.parametrize("name", SETTINGS)
def test_methods_are_appendix_a(name):
    setting = SETTINGS[name]
    runs = {v: runs_of(setting, v) for v in (AR_ADALS, ON_THE_FLY, OF_ENSEMBLE, R2, MIXUP, CCAT)}
    assert runs[MIXUP][0].settings == {"mixup": 0.2}
    ccat = runs[CCAT][0].settings
    assert (ccat["radius"], ccat["step"], ccat["iterations"]) == (0.01, 0.025, 10)
    assert [run.seeds for run in runs[OF_ENSEMBLE]] == [(0, 1)]
    assert [run.seeds for run in runs[AR_ADALS]] == [(0,), (1,)]
    assert runs[OF_ENSEMBLE][0].settings == runs[AR_ADALS][0].settings
    for variant in (AR_ADALS, ON_THE_FLY, OF_ENSEMBLE, R2):
        settings = runs[variant][0].settings
        assert settings["attack"] == "carlini-wagner"
        assert settings["update"] == "own"
        assert settings["R"] == (2 if variant == R2 else 10)
    fly = runs[ON_THE_FLY][0].settings["rescore"]
    assert fly == (None if name == IMAGENET else (65, 130))
    attack = ATTACKS["carlini-wagner"]
    assert (attack.search_steps, attack.iterations, attack.learning_rate) == (3, 500, 0.005)


def test_a_schedule_of_alpha_is_json_and_has_a_name(data, root, quickly):
    images = data["smaller"]
    run = in_short(runs_of(SETTINGS[IMAGENET], AR_ADALS)[0])
    numbers = replace(run, settings=run.settings | {"alpha": {0: 0.001, 60: 0.05}})
    config = run.config(images)
    assert config == numbers.config(images) == json.loads(json.dumps(config))
    assert config["settings"]["alpha"] == {"0": 0.001, "60": 0.05}
    folder = train(run, root / IMAGENET, data=images)
    label = method_of_run(read_run(folder).run).label
    assert label.startswith("ar-adals (alpha 0.001 from epoch 0 then 0.05 from epoch 60, ")


@pytest.mark.parametrize(
    ("network", "classes", "size"),
    [(partial(WideResNet, width=1), 100, 32), (partial(ResNet101, width=8), 1000, 224)],
)
def test_networks_of_the_whole_depth_see_images(network, classes, size):
    generator = torch.Generator().manual_seed(0)
    network = network(classes=classes, shape=(3, size, size), generator=generator).eval()
    x = torch.rand(1, 3, size, size, generator=generator)
    with torch.no_grad():
        logits = network.to(memory_format=torch.channels_last)(x)
    assert logits.shape == (1, classes)
    assert logits.isfinite().all()
