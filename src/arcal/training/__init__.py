"""Training: a run's configuration, the loop, and many runs at once.

run       a run: its configuration, and what can be read back from its folder
recipes   how long, how fast and with what: those of appendix A by name
scoring   robustness of a part of the data by a run's model
draws     named random draws
on_ray    many runs on a Ray cluster
"""

from arcal.training._fit import Member, Scorer, fit
from arcal.training._sweep import Sweep, sweep, tries
from arcal.training._train import train
from arcal.training.many import train_all
from arcal.training.recipes import RECIPES, Recipe, recipe_named
from arcal.training.run import Run, data_of, model_of, models_of
from arcal.training.scoring import score_run

__all__ = [
    "RECIPES",
    "Member",
    "Recipe",
    "Run",
    "Scorer",
    "Sweep",
    "data_of",
    "fit",
    "model_of",
    "models_of",
    "recipe_named",
    "score_run",
    "sweep",
    "train",
    "train_all",
    "tries",
]
