"""Which loss and which distance suit the data: each is trained for the same budget, and judged on the same identities.

compare(data, recipe, losses=…, distances=…)   → Comparison, a table with a winner
settle(data, recipe)                           closes `distance = auto` by such a comparison
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gemel.errors import GemelError, NotEnoughData, RecipeError, TrainingFailed
from gemel.items import Collection, read
from gemel.learn.diagnose import Diagnose
from gemel.learn.fit import exported, fit
from gemel.learn.outset import Outset, outset
from gemel.learn.processes import Processes
from gemel.measure import Interval, Verification
from gemel.recipe import Recipe
from gemel.siamese import Siamese
from gemel.siamese.evaluation import evaluate
from gemel.siamese.known import has_scores
from gemel.siamese.manifest import finite

LOG = logging.getLogger("gemel")
RULE = (
    "The winner has the highest AUC on identities that no training saw; of equals, the first that was named. A row "
    "marked ≈ cannot be told from it by so few identities: its interval reaches the winner's AUC. The winner's own "
    "figure is a little too good, for it was chosen by it."
)
DISTANCES = ("cosine", "euclidean", "manhattan", "learned")
"""What `distance = auto` chooses from; of equals, the first."""
GRADED_CUT = 0.5
"""The score from which on graded pairs count as the same where a comparison is told no cut; only ranks matter."""
FEWEST_STEPS = 100
"""A training that is to be judged is not shorter than this."""


@dataclass(frozen=True)
class Trial:
    """One loss with one distance.

    Attributes:
        verification: how well the trained twin tells held-out identities apart; None where there is no such training.
        seconds: that training and judging took.
        reason: why there is no training, or empty.
    """

    loss: str
    distance: str
    verification: Verification | None
    seconds: float
    reason: str = ""

    @property
    def auc(self) -> float:
        """Its AUC; below any where there is none."""
        return -1.0 if self.verification is None else self.verification.auc


@dataclass(frozen=True)
class Comparison:
    """What became of every loss with every distance.

    Attributes:
        trials: in the order in which they were asked for.
        steps: that each was trained for.
        identities: that they were judged on.
    """

    trials: tuple[Trial, ...]
    steps: int
    identities: int

    @property
    def winner(self) -> Trial:
        """By the stated rule.

        Raises:
            GemelError: not one training came to an end.
        """
        best = max(self.trials, key=lambda trial: trial.auc, default=None)
        if best is None or best.verification is None:
            raise GemelError("Not one training came to an end: " + "; ".join(trial.reason for trial in self.trials))
        return best

    def ties(self) -> list[Trial]:
        """Those that cannot be told from the winner."""
        winner = self.winner
        return [t for t in self.trials if t is not winner and _reaches(t.verification, winner.auc)]

    def table(self) -> str:
        """Every trial, the best first, and the rule."""
        winner, ties = self.winner, self.ties()
        lines = [f"{'':2}{'loss':<18}{'distance':<12}{'AUC':<26}{'EER':<28}{'seconds':>8}"]
        for trial in sorted(self.trials, key=lambda trial: -trial.auc):
            mark = "*" if trial is winner else "≈" if trial in ties else ""
            head = f"{mark:2}{trial.loss:<18}{trial.distance:<12}"
            known = trial.verification
            if known is None:
                lines.append(f"{head}{trial.reason}")
                continue
            auc = f"{known.auc:.4f}{_between(known.auc_interval, '.4f')}"
            eer = f"{known.eer:.2%}{_between(known.eer_interval, '.2%')}"
            lines.append(f"{head}{auc:<26}{eer:<28}{trial.seconds:>8.1f}")
        return "\n".join(
            [
                *lines,
                "",
                f"{self.steps} steps each, judged on {self.identities} identities. {RULE}",
                f"Winner: {winner.loss} with {winner.distance} distance.",
            ]
        )

    def json(self) -> dict[str, Any]:
        """As plain JSON values."""
        trials = [finite(asdict(trial)) for trial in self.trials]
        winner = {"loss": self.winner.loss, "distance": self.winner.distance}
        ties = [{"loss": trial.loss, "distance": trial.distance} for trial in self.ties()]
        return {"trials": trials, "steps": self.steps, "winner": winner, "ties": ties, "rule": RULE}


def compare(
    data: Collection | str | Path,
    recipe: Recipe | None = None,
    *,
    losses: Sequence[str] = (),
    distances: Sequence[str] = (),
    allow_bad: float = 0.01,
    say: Callable[[str], None] = LOG.info,
    **choices: Any,
) -> Comparison:
    """Train every loss with every distance for the same budget, and judge each on the same identities.

    All see the same items, and every training has the same seed. Choices that a loss would not look at are left out
    for it.

    Args:
        data: a collection, or what `gemel.read` takes.
        recipe: the choices that all have in common.
        losses, distances: by name; those of the recipe, or else chosen from the data, when none is named.
        allow_bad: share of items that may be unreadable, 0 to 1.
        say: takes a sentence on every trial.
        **choices: fields of the recipe, by keyword; they win over `recipe`.

    Raises:
        NotEnoughData: too few identities to hold any out.
        RecipeError: a loss or a distance does not exist.
    """
    recipe = (recipe or Recipe()).but(**choices)
    data = data if isinstance(data, Collection) else read(data)
    asked: list[str | None] = [*losses] or [recipe.loss]
    kernels: list[str | None] = [*distances] or [recipe.distance]
    plans = [_plan(recipe, loss, kernel) for loss in asked for kernel in kernels]
    trials: list[Trial] = []
    steps = identities = 0
    for plan in plans:
        begun_at = time.perf_counter()
        loss, distance = plan.loss or "chosen", plan.distance or "chosen"
        try:
            begun = outset(data, plan, allow_bad=allow_bad)
            loss, distance = str(begun.recipe.loss), str(begun.recipe.distance)
            verification = _judged(begun)
        except (RecipeError, TrainingFailed) as reason:
            trials.append(Trial(loss, distance, None, time.perf_counter() - begun_at, str(reason)))
        else:
            if begun.learner.interrupted:
                say(f"Interrupted: {loss} with {distance} distance, and what would have come after it, are left out.")
                break
            trials.append(Trial(loss, distance, verification, time.perf_counter() - begun_at))
            steps, identities = len(begun.learner.steps), verification.identities or 0
        say(f"{len(trials)} of {len(plans)}: {_sentence(trials[-1])}")
    return Comparison(tuple(trials), steps, identities)


def settle(
    data: Collection,
    recipe: Recipe,
    *,
    start: Siamese | None = None,
    allow_bad: float = 0.01,
    say: Callable[[str], None] = LOG.info,
) -> Recipe:
    """The recipe with a distance in the place of *auto*: the best of a few short trainings on the training items.

    What will stop the training and what will calibrate it take no part. Each short training has a quarter of the steps.

    Raises:
        RecipeError: several processes would choose each for itself.
    """
    if recipe.distance != "auto":
        return recipe
    if Processes.launched().several:
        raise RecipeError("distance = 'auto' compares in one process: run `gemel compare` first, and give its winner.")
    asked = recipe.but(distance=None)
    begun = outset(data, asked, start=start, allow_bad=allow_bad)
    steps = max(FEWEST_STEPS, len(begun.learner.steps) // 4)
    loss = str(begun.recipe.loss)
    try:
        found = compare(
            begun.learning, asked.but(steps=steps), losses=[loss], distances=DISTANCES, allow_bad=allow_bad, say=say
        )
    except NotEnoughData as reason:
        raise NotEnoughData(f"distance = 'auto' needs training items of its own to judge by. {reason}") from None
    say(found.table())
    return recipe.but(distance=found.winner.distance)


def _plan(recipe: Recipe, loss: str | None, distance: str | None) -> Recipe:
    """The common choices for one loss and one distance."""
    if distance == "auto":
        raise RecipeError("distance = 'auto' is what a comparison finds out; name the distances to compare.")
    chosen = recipe if loss is None else recipe.fitting(loss)
    return chosen.but(distance=distance)


def _judged(begun: Outset) -> Verification:
    """Train, and measure the twin on what was held out for calibration."""
    if begun.calibrating is None:
        raise NotEnoughData("Nothing could be held out to judge a training by; give more identities.")
    with tempfile.TemporaryDirectory() as folder:
        lowest = fit(begun, Path(folder), [Diagnose(lambda sentence: None)], progress=False)
    cut = (begun.recipe.cut or GRADED_CUT) if has_scores(begun.calibrating) else None
    return evaluate(exported(begun, lowest), begun.calibrating, allow_bad=1.0, cut=cut).verification


def _sentence(trial: Trial) -> str:
    head = f"{trial.loss} with {trial.distance} distance"
    return f"{head}: AUC {trial.auc:.4f}, {trial.seconds:.0f} s" if trial.verification else f"{head}: {trial.reason}"


def _reaches(known: Verification | None, auc: float) -> bool:
    return known is not None and known.auc_interval is not None and known.auc_interval.high >= auc


def _between(interval: Interval | None, spec: str) -> str:
    return "" if interval is None else f" ({interval.low:{spec}} to {interval.high:{spec}})"
