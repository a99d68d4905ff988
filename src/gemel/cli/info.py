"""gemel info: what a model folder holds."""

from __future__ import annotations

from gemel.cli.options import AsJson, Model
from gemel.cli.output import answer


def info(model: Model, as_json: AsJson = False) -> None:
    """Say what a model is: how it was trained, how good it is, what its verdicts cost.

    gemel info faces.gemel
    """
    from gemel.siamese import Siamese

    twin = Siamese.load(model)
    answer(twin.describe(), twin.json(), as_json=as_json)
