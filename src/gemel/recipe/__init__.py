"""What can be chosen when a twin learns, and what is chosen from the data when you do not.

    Recipe              every choice; None means: open
    described()         every field with its type, default and help text: flags are made from this
    CHOICES             what a field may be, where it is one of a few words
    choose(recipe, …)   closes what is open, from the Facts of the data
    of_field(recipe, …) the choices for one field of a record

Knows no PyTorch, so that help and flags are cheap.
"""

from __future__ import annotations

from gemel.recipe.allowed import CHOICES
from gemel.recipe.choosing import Facts, choose, of_field
from gemel.recipe.fields import Recipe, described

__all__ = ["CHOICES", "Facts", "Recipe", "choose", "described", "of_field"]
