"""Checkpoints that are saved after an epoch's last step, and before its validation."""
# pyright: reportMissingImports=false

import pytest
import torch

pytestmark = pytest.mark.filterwarnings("ignore")  # advice for larger trainings

STEPS = 12
"""Of an epoch."""
SETTINGS = [{}, {"alpha": "auto"}, {"vanilla": 2}, {"rescore": [2]}]
EPOCHS = [1, 2]


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


def test_a_delayed_evaluation_is_not_made_up_for(tmp_path):
    pytest.importorskip("transformers", reason="the extra `transformers` is not installed")
    pytest.importorskip("accelerate", reason="the extra `transformers` is not installed")
    from transformers_run import trainer

    often = {"save_strategy": "steps", "save_steps": STEPS, "eval_delay": 3}
    trainer(tmp_path, 4, **often)[0].train()
    resumed, _ = trainer(tmp_path / "resumed", 4, **often)
    resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{2 * STEPS}"))
    assert resumed.smoothing.loss.epoch == 2


def test_a_checkpoint_that_does_not_say_which_epochs_counted_is_taken_as_whole(tmp_path):
    pytest.importorskip("pytorch_lightning", reason="the extra `lightning` is not installed")
    from arcal.integrations.lightning import RobustSmoothing

    state = RobustSmoothing(3, levels=1).state_dict()
    assert not RobustSmoothing(3, levels=1).missed(0)
    del state["validated"]
    again = RobustSmoothing(3, levels=1)
    again.load_state_dict(state)
    assert not again.missed(5)
