"""Training: the configuration of a run, the training loop, and many runs at once.

run           the configuration of a run
saved_run     what can be read back from its folder
recipes       optimisers and schedules by name, those of appendix A among them
recipe_files  the same as TOML files, and a run as the command that trains it
begun         runs that were left unfinished, and would start over
_types        checks that values read back have the annotated types
_train        one run, from its configuration to its folder
_fit          the loop, with _sharing among processes and _rescoring on the fly
_checkpoints  what is kept after each epoch, to continue
many          many runs, and sweeps
rankings      rankings of images by vanilla runs, made before other runs begin
scoring       robustness of a part of the data by the model of a run
trackers      other places that show the metrics
draws         named random draws
"""

from arcal.training._fit import EVALUATION_BATCH, Member, Scorer, fit
from arcal.training._train import train
from arcal.training.many import Sweep, sweep, train_all, tries
from arcal.training.recipes import RECIPES, Recipe, recipe_named
from arcal.training.run import Run
from arcal.training.saved_run import data_of, model_of, models_of
from arcal.training.scoring import score_run

__all__ = [
    "EVALUATION_BATCH",
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
