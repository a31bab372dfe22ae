"""What both explainers share: arguments, checks, the loop over rows, saving."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import cloudpickle
import numpy as np

from captum_spex import checks
from captum_spex.approximators import Approximator, ProxySpex, Spex
from captum_spex.arrays import Floats, Ints, scalar, type_of
from captum_spex.budgets import DefaultBudget, default_budget
from captum_spex.compat.shap import Explainer, generating, links, maskers, models
from captum_spex.errors import ArgumentError, in_words
from captum_spex.evaluation.progress import ProgressLine
from captum_spex.evaluation.torch_models import check_mode
from captum_spex.explainers.background import Sampling
from captum_spex.explainers.explanations import ExplainedRow, check_pairs, explanations, wanted_arrays
from captum_spex.explainers.links import checked_link
from captum_spex.explainers.many_rows import Rows, checked_jobs, planned_tasks
from captum_spex.explainers.masker_game import MaskerGame
from captum_spex.explainers.older_interface import missing, refuse
from captum_spex.explainers.planning import PlannedRow, Request, check_request, planned_rows
from captum_spex.explainers.rows import rows_of
from captum_spex.explainers.rows_together import PlannedRows
from captum_spex.explainers.shap_maskers import as_masker, check_together, shown
from captum_spex.explainers.shap_models import FunctionModel, Once, generates, placed, with_tensors
from captum_spex.exports.many_rows import Outputs
from captum_spex.interactions import MAX_TERMS, Interactions

_SHAPS_WORDS = {"budget": "max_evals", "random_state": "seed"}
_BY_DEFAULT = ".save"
_SAVED = (
    "link", "linearize_link", "feature_names", "output_names", "seed", "approximator", "groups", "max_samples",
    "allow_training",
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """Sizes from which on an explainer does less, or refuses."""

    model_rows: int = 1 << 20  # for an explained row at the default budget; bounds the background rows that are used
    background_rows: int = 100  # used at least, as in SHAP
    pair_cells: int = 1 << 28  # numbers in all matrices of pairs together, 2 GiB
    enumerated_players: int = 10  # whose masks are all evaluated by default, as SHAP does, also those of texts
    default_evals: int = 4096  # measured: a row of 1,000 inputs then takes half a minute to fit, not half an hour
    progress_delay: float = 2  # seconds, after which a row may still be far from done


class MaskingExplainer(Explainer):  # type: ignore[misc]
    """Base of the explainers: a ``shap.Explainer`` whose values come from captum_spex."""

    model: Any
    limits: ClassVar[Limits] = Limits()
    default_approximator: ClassVar[type[ProxySpex] | type[Spex]]

    def __init__(
        self,
        model: Any,
        masker: Any = None,
        link: Callable[..., Any] = links.identity,
        algorithm: str = "auto",
        output_names: Sequence[str] | None = None,
        feature_names: Any = None,
        linearize_link: bool = True,
        seed: int | None = None,
        approximator: Approximator | None = None,
        groups: Any = None,
        max_samples: int | None = None,
        allow_training: bool = False,
        **others: Any,
    ) -> None:
        refuse(others, MaskingExplainer.__init__)
        checked_link(link)
        self.seed = None if seed is None else checks.integer("seed", seed, 0)
        self.max_samples = None if max_samples is None else checks.integer("max_samples", max_samples)
        self.groups = groups
        if "allow_training" not in vars(self):
            self.allow_training = checks.flag("allow_training", allow_training)
        check_mode("model", model, self.allow_training)
        model = with_tensors(model)
        # SHAP calls this method a second time, without the last arguments, where it wraps a pipeline itself.
        super().__init__(
            model,
            as_masker(masker, Sampling(self._most_rows, self.seed or 0)),
            link=link,
            output_names=output_names,
            feature_names=feature_names,
            linearize_link=linearize_link,
        )
        if generates(self.model) and masker is not None:
            self.model, self.masker = generating(self.model, masker)
        if not isinstance(self.model, models.Model) or type(self.model) is models.Model:
            if not callable(self.model):
                hint = "Pass a method of it, such as `model.predict_proba`."
                raise ArgumentError("model", type_of(self.model), "a function of the masked rows", hint)
            self.model = FunctionModel(self.model)
        self.approximator = self.default_approximator() if approximator is None else approximator
        check_together(self.model, self.masker)

    def _most_rows(self, n_values: int) -> int:
        """Return how many background rows are used for rows of a number of values."""
        if self.max_samples is not None:
            return self.max_samples
        return max(self.limits.background_rows, self.limits.model_rows // self.default_max_evals(n_values))

    def default_max_evals(self, n_players: int) -> int:
        """Return the number of evaluations for a row that is used when none is given, unless all take no longer.

        All ``2**n`` masks of up to 10 inputs, which makes the result exact; else ``max(512, 4 n log2(n))``, but at most
        ``max(4096, 4 n)``. All masks of up to 16 inputs that are no texts are evaluated where the first row shows that
        this takes no longer than an estimate, see `captum_spex.budgets.DefaultBudget`; ``max_evals=`` is kept.
        """
        if n_players <= self.limits.enumerated_players:
            return 2**n_players
        return min(default_budget(n_players), max(self.limits.default_evals, 4 * n_players))

    def __call__(
        self,
        *args: Any,
        max_evals: int | str = "auto",
        main_effects: bool = False,
        error_bounds: bool = False,
        batch_size: int | str = "auto",
        outputs: Any = None,
        silent: bool = False,
        interactions: bool | int = False,
        n_jobs: int | None = None,
        **others: Any,
    ) -> Any:
        """Explain rows.

        The arguments are those of ``shap.PermutationExplainer.__call__``, and ``interactions`` that of
        ``shap.ExactExplainer``.

        Args:
            args: the rows; one argument for each argument of the model.
            max_evals: evaluations for a row, at least 2: masks, each of which takes one row of the model per background
                row. From ``2**n`` on, for n inputs that differ from the background, the result is exact. ``"auto"``:
                `default_max_evals`, or all where that takes no longer.
            main_effects: also return the effect of each input alone, ``f({i}) - f({})``, as estimated.
            error_bounds: also return standard errors, ``error_std``: 0 where a value is known exactly, NaN where the
                algorithm gives none, as SPEX.
            batch_size: masks per call of the model. ``"auto"``: as many as make 16,384 rows of a table or of images,
                32 else. Two masks of the first row are also evaluated alone, beside ``max_evals``.
            outputs: which outputs to explain: numbers, or ``shap.Explanation.argsort.flip[:2]`` and the like. Default:
                all.
            silent: whether not to show a progress line, which appears after two seconds.
            interactions: return pairs instead of values: ``True`` or 2.
            n_jobs: number of processes that explain rows, -1 for one on each processor; it changes nothing where
                ``max_evals`` is given. Default: this process.
            others: none; those of SHAP's older interface are refused with what stands in their place.

        Returns:
            *shap.Explanation* of Shapley values ``(rows, n)``, ``(rows, n, n_outputs)`` for a model with several
            outputs; they sum to ``link(f(x)) - base_values``. With ``interactions`` ``(rows, n, n)`` or ``(rows, n, n,
            n_outputs)``: symmetric, off the diagonal half of the Shapley interaction index, as in SHAP's tree
            explainer; every line sums to the Shapley value. A list of them for a model with several arguments. Rows of
            different lengths make arrays of objects.

        Raises:
            ArgumentError: an argument that cannot be used (a ``ValueError``), before the model is called; a model that
                cannot be sent to processes.
            GameError: if the model returns the wrong number of rows, or the link of its outputs is not finite. Where
                rows were explained before a failure, or an interruption, the error's ``finished`` is what this method
                returns for them, and ``finished_rows`` lists their numbers.
        """
        refuse(others, MaskingExplainer.__call__)
        started = time.time()
        wanted = wanted_arrays(interactions, error_bounds, main_effects)
        planned = self._planned(args, max_evals)
        has_pairs = "pairs" in wanted
        if has_pairs:
            check_pairs(planned[0].shapes, len(planned), self.limits.pair_cells)
        n_pairs = max(row.inputs.n_positions for row in planned) ** 2
        index, max_order = ("SII", None) if has_pairs else ("SV", 1)
        request = self._request(index, max_order, max(MAX_TERMS, n_pairs), outputs=outputs, batch_size=batch_size)
        return self._explained(
            planned, request, silent, n_jobs, wanted, lambda rows: explanations(rows, time.time() - started, args)
        )

    def shap_values(self, *args: Any, **settings: Any) -> Any:
        """Return the values alone, as SHAP's older interface does: ``explainer(...).values``."""
        return self(*args, **settings).values

    def interactions(
        self,
        *args: Any,
        index: str = "SII",
        max_order: int | None = None,
        max_evals: int | str = "auto",
        batch_size: int | str = "auto",
        outputs: Any = None,
        silent: bool = False,
        max_terms: int = MAX_TERMS,
        n_jobs: int | None = None,
        **others: Any,
    ) -> list[Any]:
        """Return the interactions of every row.

        Args:
            args: the rows, as for a call of the explainer.
            index: an interaction index, see `captum_spex.indices.NAMES`.
            max_order: largest order of an interaction; default 2, or 1 for rows of a single input.
            max_evals: see `__call__`.
            batch_size: see `__call__`.
            outputs: see `__call__`.
            silent: see `__call__`.
            max_terms: how many terms of order 2 and more to keep, the largest first.
            n_jobs: see `__call__`.
            others: see `__call__`.

        Returns:
            A `captum_spex.Interactions` for every row, players being all inputs of the row; for a model with several
            outputs a list of them for every row.

        Raises:
            ArgumentError: an argument that cannot be used, before the model is called.
        """
        refuse(others, MaskingExplainer.interactions)
        planned = self._planned(args, max_evals)
        n_terms = checks.integer("max_terms", max_terms)
        request = self._request(index, scalar(max_order), n_terms, outputs=outputs, batch_size=batch_size)

        def answer(rows: Sequence[ExplainedRow]) -> list[Any]:
            return [row.results[0] if row.outputs is None else Outputs(row.results) for row in rows]

        return self._explained(planned, request, silent, n_jobs, None, answer)

    def save(self, out_file: Any, model_saver: Any = ".save", masker_saver: Any = ".save") -> None:
        """Write the explainer, with all its arguments, to a stream.

        Args:
            out_file: a stream of bytes.
            model_saver: how the model is written: pickled by default; a function ``saver(model, stream)``; or
                ``False``: not at all.
            masker_saver: the same for the masker.
        """
        for name, saver in (("model_saver", model_saver), ("masker_saver", masker_saver)):
            if not (saver in (_BY_DEFAULT, "auto", None, False) or callable(saver)):
                raise ArgumentError(name, repr(saver), "a function `saver(value, stream)`, False, or nothing")
        # SHAP's own format loses arguments, and its pipelines and composite maskers cannot be read again.
        savers = {"model": model_saver, "masker": masker_saver}
        pickle.dump(type(self), out_file)
        arguments = {name: getattr(self, name) for name in _SAVED}
        arguments |= {name: getattr(self, name) for name, saver in savers.items() if saver in (_BY_DEFAULT, "auto")}
        cloudpickle.dump(arguments, out_file)
        for name, saver in savers.items():
            if callable(saver):
                saver(getattr(self, name), out_file)

    @classmethod
    def load(cls, in_file: Any, model_loader: Any = None, masker_loader: Any = None, instantiate: bool = True) -> Any:
        """Read an explainer from a stream that `save` wrote; only from a source that you trust.

        Args:
            in_file: a stream of bytes.
            model_loader: a function of the stream that returns the model; needed if ``model_saver`` was a function or
                ``False``.
            masker_loader: the same for the masker.
            instantiate: whether to return an explainer, or its arguments.
        """
        if instantiate:
            kind = pickle.load(in_file)
            if not (isinstance(kind, type) and issubclass(kind, cls)):
                raise ArgumentError("in_file", f"a saved {kind!r}", f"an explainer that `{cls.__name__}.save` wrote")
            return kind(**kind.load(in_file, model_loader, masker_loader, instantiate=False))
        arguments = cloudpickle.load(in_file)
        for name, loader in (("model", model_loader), ("masker", masker_loader)):
            if loader is not None and name not in arguments:  # SHAP 0.46 passes loaders of its own
                arguments[name] = loader(in_file)
        return arguments

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing(self, name)

    def explain_row(self, *row_args: Any, **settings: Any) -> dict[str, Any]:
        """Not offered: a call of the explainer shares the background's outputs between its rows."""
        raise NotImplementedError("call the explainer with `[row]` instead")

    def _planned(self, args: Sequence[Any], max_evals: int | str) -> list[PlannedRow]:
        has_answers = isinstance(self.masker, maskers.OutputComposite) and len(args) == 2
        rows = rows_of(args[:1] if has_answers else args, self.masker)
        if has_answers and len(args[1]) != len(rows):
            raise ArgumentError("X", f"{len(rows)} texts and {len(args[1])} answers", "an answer for each text")
        row_maskers = [self._masker_of(args[1][row] if has_answers else None) for row in range(len(rows))]
        return planned_rows(rows, row_maskers, self.feature_names, self.groups, self._budgets(max_evals, len(rows)))

    def _budgets(self, max_evals: int | str, n_rows: int) -> Callable[[int], int | DefaultBudget]:
        """Return the function from a number of players to a number of evaluations."""
        plain = scalar(max_evals)
        if isinstance(plain, str) and plain == "auto":
            return cache(lambda n_players: DefaultBudget(self.default_max_evals(n_players), n_rows))
        budget = checks.budget("max_evals", plain)
        return lambda n_players: budget

    def _masker_of(self, answer: str | None) -> Any:
        """Return the masker of a row; for a language model with the answer, generated by the model unless given."""
        if not isinstance(self.masker, maskers.OutputComposite):
            return self.masker
        answering = self.masker.model if answer is None else models.TextGeneration(target_sentences=[answer])
        return maskers.OutputComposite(self.masker.masker, Once(answering))

    def _request(self, index: str, max_order: int | None, max_terms: int, *, outputs: Any, batch_size: Any) -> Request:
        check_mode("model", self.model, self.allow_training)  # which may have changed since
        is_auto = isinstance(batch_size, str) and batch_size == "auto"
        return Request(
            index=index,
            max_order=max_order,
            max_terms=max_terms,
            outputs=outputs,
            approximator=placed(self.approximator, self.model),
            seed=int(np.random.default_rng().integers(2**63)) if self.seed is None else self.seed,
            batch_size=None if is_auto else checks.integer("batch_size", batch_size),
        )

    def _explained(
        self,
        planned: Sequence[PlannedRow],
        request: Request,
        silent: bool,
        n_jobs: Any,
        wanted: Sequence[str] | None,
        answer: Callable[[list[ExplainedRow]], Any],
    ) -> Any:
        n_jobs = checked_jobs(n_jobs)
        with in_words(_SHAPS_WORDS):
            check_request(planned, request)
            title, delay = f"{type(self).__name__} explainer", self.limits.progress_delay
            line = None if silent else ProgressLine(title, "row", delay=delay)
            explain = PlannedRows(self, planned, request, wanted, line)
            return Rows(explain, n_jobs, line).explained(*planned_tasks(planned, request), answer)

    def game_of(
        self, row: PlannedRow, request: Request, backgrounds: dict[str, Floats], asks_alone: bool
    ) -> MaskerGame:
        """Return the game of a row; what the model returns for a background is kept for the rows that share it."""
        kind = row.inputs.background_kind
        game = MaskerGame(
            self.model,
            row.inputs,
            self.link,
            self.linearize_link,
            background=None if kind is None else backgrounds.get(kind),
            outputs=request.outputs,
            batch_size=request.batch_size,
            asks_alone=asks_alone,
        )
        if kind is not None:
            backgrounds[kind] = game.background
        return game

    def explained_row(self, row: PlannedRow, game: MaskerGame, results: list[Interactions]) -> ExplainedRow:
        """Return the explanation of a row of which the results are known."""
        return ExplainedRow(
            results=results,
            base_values=game.without,
            outputs=game.numbers,
            output_names=self._names_of(game.numbers, row),
            shapes=row.shapes,
            feature_names=row.feature_names,
            own_names=callable(getattr(self.masker, "feature_names", None)),
            data=shown(self.masker, row.arguments) if row.groups is None else (row.groups.shown(row.arguments[0]),),
        )

    def _names_of(self, outputs: Ints | None, row: PlannedRow) -> list[str] | None:
        names = getattr(self.model, "output_names", None) if self.output_names is None else self.output_names
        names = names(*row.arguments) if callable(names) else names
        if outputs is None:
            return None
        if names is None:
            return [f"Output {number}" for number in outputs]
        if len(names) <= outputs.max():
            got = f"{len(names)} names for a model whose output {outputs.max()} is explained"
            raise ArgumentError("output_names", got, "a name for every output")
        return [str(names[number]) for number in outputs]
