"""Checkpoints that are saved after an epoch's last step, and before its validation."""
# pyright: reportMissingImports=false

import pytest
import torch

pytestmark = pytest.mark.filterwarnings("ignore")  # advice for larger trainings

STEPS = 12
"""Of an epoch."""
SETTINGS = [{"alpha": "auto"}, {"vanilla": 2}, {"rescore": [2]}]
EPOCHS = [2]


def same(one, other):
    """Whether two losses and models ended alike."""
    (loss, model), (expected, its_model) = one, other
    assert loss.epoch == expected.epoch
    assert loss.soft_label.tolist() == expected.soft_label.tolist()
    for part in ("train_levels", "validation_levels"):
        levels = getattr(loss, part).levels
        assert levels.tolist() == getattr(expected, part).levels.tolist()
    for w, as_expected in zip(model.parameters(), its_model.parameters(), strict=True):
        assert torch.equal(w, as_expected)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("epochs", EPOCHS)
def test_transformers_makes_up_for_a_validation_that_was_still_to_come(epochs, settings, tmp_path):
    pytest.importorskip("transformers", reason="the extra `transformers` is not installed")
    pytest.importorskip("accelerate", reason="the extra `transformers` is not installed")
    from transformers_run import trainer

    often = {"save_strategy": "steps", "save_steps": STEPS, "settings": settings}
    whole, _ = trainer(tmp_path, 4, **often)
    whole.train()
    resumed, _ = trainer(tmp_path / "resumed", 4, **often)
    resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{epochs * STEPS}"))
    same((resumed.smoothing.loss, resumed.model), (whole.smoothing.loss, whole.model))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("epochs", EPOCHS)
def test_lightning_makes_up_for_a_validation_that_was_still_to_come(epochs, settings, tmp_path):
    pytest.importorskip("pytorch_lightning", reason="the extra `lightning` is not installed")
    from lightning_run import fit
    from pytorch_lightning.callbacks import ModelCheckpoint

    often = ModelCheckpoint(tmp_path, every_n_train_steps=STEPS, save_top_k=-1, filename="{step}")
    module, whole, _ = fit(tmp_path, 4, callbacks=(often,), settings=settings)
    path = tmp_path / f"step={epochs * STEPS}.ckpt"
    again, resumed, _ = fit(tmp_path / "resumed", 4, resume=path, settings=settings)
    same((resumed.loss, again), (whole.loss, module))
