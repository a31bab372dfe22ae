"""What a game is: any callable from masks to values."""

from __future__ import annotations

from typing import Protocol

from numpy.typing import ArrayLike

from captum_spex.masks import Masks


class Game(Protocol):
    """A value function: masks in, one value (or one row of outputs) per mask out. A plain function is a game too.

    A game may also have some of these:

    - ``n_players`` and ``names``, for `captum_spex.explain` to take them from there;
    - ``plan_batches(masks)``, which returns arrays of row numbers: the rows of each call;
    - ``answer_each(masks)``, a generator of pairs (row, value), or (rows, values), in any order, for games that wait
      for others;
    - ``fingerprint``, a text or a mapping of texts that tells it from all other games: without one, a store must be
      given it;
    - ``table`` (`captum_spex.approximators.ValueTable`): given values, of a game that cannot be asked for others;
    - ``evaluate_packed(masks)``, to receive the masks of very many players as `captum_spex.masks.PackedMasks`.

    Example:
        >>> import numpy as np
        >>> def game(masks):
        ...     return masks[:, 0] + 2.0 * (masks[:, 1] & masks[:, 2])
        >>> game(np.array([[True, True, True], [True, False, False]]))
        array([3., 1.])
    """

    def __call__(self, masks: Masks, /) -> ArrayLike:
        """Evaluate a bool array ``(n_masks, n_players)``, ``True`` = player present.

        Returns numbers ``(n_masks,)``, or ``(n_masks, n_outputs)`` for a game with several outputs.
        """
