"""What both explainers share: arguments, checks, the loop over rows, saving."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import cloudpickle
import numpy as np
import scipy.sparse
import torch
from tqdm.auto import tqdm

from captum_spex import checks
from captum_spex.approximators import Approximator, ProxySpex, Spex
from captum_spex.arrays import Floats, Ints
from captum_spex.compat.shap import Explainer, generating, links, maskers, models, sample
from captum_spex.errors import ArgumentError, OrderError, in_words
from captum_spex.explainers.explained_rows import ExplainedRow, Wanted, check_pairs, explanations
from captum_spex.explainers.links import checked_link
from captum_spex.explainers.planning import PlannedRow, Question, planned_rows, with_budgets
from captum_spex.explainers.row_arguments import rows_of
from captum_spex.explainers.shap_models import Once, TorchModel, generates, with_tensors
from captum_spex.explaining import default_budget
from captum_spex.interactions import MAX_TERMS

_MOST_BACKGROUND = 100  # rows of a background, as in SHAP
_MOST_CELLS = 1 << 28  # of all matrices of pairs together, 2 GiB
_SHAPS_WORDS = {"budget": "max_evals", "random_state": "seed"}
_TEXT_MODELS = (models.TransformersPipeline, models.TeacherForcing, models.TopKLM)
_BY_DEFAULT = ".save"
_SHOWN_AFTER = 10  # seconds, as in SHAP
_MANY_EVALS = 4096
_FEW_PLAYERS = 10  # of which all masks are evaluated unless told otherwise, as SHAP does
_SAVED = ("link", "linearize_link", "feature_names", "output_names", "seed", "approximator")


class MaskingExplainer(Explainer):  # type: ignore[misc]
    """Base of the explainers: a ``shap.Explainer`` that asks captum_spex."""

    model: Any
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
    ) -> None:
        checked_link(link)
        model = with_tensors(model)
        # SHAP calls this method a second time, without the last two arguments, where it wraps a pipeline itself.
        super().__init__(
            model,
            _masker(masker),
            link=link,
            output_names=output_names,
            feature_names=feature_names,
            linearize_link=linearize_link,
        )
        if generates(self.model) and masker is not None:
            self.model, self.masker = generating(self.model, masker)
        if not isinstance(self.model, models.Model):
            if not callable(self.model):
                hint = "Pass a method of it, such as `model.predict_proba`."
                raise ArgumentError("model", f"a {type(self.model).__name__}", "a function of the masked rows", hint)
            self.model = models.Model(self.model)
        self.seed = _checked_seed(seed)
        self.approximator = self.default_approximator() if approximator is None else approximator
        _check_together(self.model, self.masker)

    def default_max_evals(self, n_players: int) -> int:
        """Return the number of evaluations for a row that is used when none is given.

        All ``2**n`` masks of up to 10 inputs, which makes the result exact; else ``max(512, 4 n log2(n))``, but no more
        than 4,096 or ``4 n``, so that a row of 1,000 inputs takes half a minute to fit and not half an hour.
        """
        if n_players <= _FEW_PLAYERS:
            return 2**n_players
        return min(default_budget(n_players), max(_MANY_EVALS, 4 * n_players))

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
    ) -> Any:
        """Explain rows.

        Args:
            args: the rows; one argument for each argument of the model.
            max_evals: evaluations for a row, at least 2: masks whose value is asked for, each of one row of the model
                per background row. From ``2**n`` on, for n inputs that differ from the background, the result is exact.
                ``"auto"``: `default_max_evals`.
            main_effects: also return what each input does alone, ``f({i}) - f({})``, as recovered.
            error_bounds: also return standard errors, ``error_std``.
            batch_size: masks per call of the model. ``"auto"``: as many as make 16,384 rows of a table or of images,
                32 else.
            outputs: which outputs to explain: numbers, or ``shap.Explanation.argsort.flip[:2]`` and the like. Default:
                all.
            silent: whether not to show a progress bar, which appears after ten seconds.
            interactions: return pairs instead of values: ``True`` or 2.

        Returns:
            *shap.Explanation* of Shapley values ``(rows, n)``, ``(rows, n, n_outputs)`` for a model with several
            outputs; they sum to ``link(f(x)) - base_values``. With ``interactions`` ``(rows, n, n)`` or ``(rows, n, n,
            n_outputs)``: symmetric, off the diagonal half of the Shapley interaction index, as in SHAP's tree
            explainer; every line sums to the Shapley value. A list of them for a model with several arguments. Rows of
            different lengths make arrays of objects.

        Raises:
            ArgumentError: an argument that cannot be used (a ``ValueError``), before the model is called.
            GameError: if the model returns the wrong number of rows, or the link of its outputs is not finite.
        """
        started = time.time()
        pairs = _checked_interactions(interactions)
        if pairs and (error_bounds or main_effects):
            name = "error_bounds" if error_bounds else "main_effects"
            hint = "`.interactions(...)` gives results that know both."
            raise ArgumentError(name, "True beside `interactions`", "False", hint)
        planned = self._planned(args, batch_size)
        if pairs:
            check_pairs(planned[0].shapes, len(planned), _MOST_CELLS)
        n_pairs = max(row.n_positions for row in planned) ** 2
        question = self._question("SII" if pairs else "SV", 1 + pairs, max(MAX_TERMS, n_pairs), outputs)
        wanted = Wanted("pairs" if pairs else "values", bool(error_bounds), main_effects is True)
        explained = [row.reduced(wanted) for row in self._explained(planned, question, max_evals, silent)]
        return explanations(explained, wanted, time.time() - started)

    def shap_values(self, *args: Any, **settings: Any) -> Any:
        """Return the values alone, as SHAP's older interface does: ``explainer(...).values``."""
        return self(*args, **settings).values

    def interactions(
        self,
        *args: Any,
        index: str = "SII",
        max_order: int = 2,
        max_evals: int | str = "auto",
        batch_size: int | str = "auto",
        outputs: Any = None,
        silent: bool = False,
        max_terms: int = MAX_TERMS,
    ) -> list[Any]:
        """Return the interactions of every row.

        Args:
            args: the rows, as for a call of the explainer.
            index: an interaction index, see `captum_spex.indices.NAMES`.
            max_order: largest order of an interaction.
            max_evals: see `__call__`.
            batch_size: see `__call__`.
            outputs: see `__call__`.
            silent: see `__call__`.
            max_terms: how many terms of order 2 and more to keep, the largest first.

        Returns:
            A `captum_spex.Interactions` for every row, players being all inputs of the row; for a model with several
            outputs a list of them for every row.

        Raises:
            ArgumentError: an argument that cannot be used, before the model is called.
        """
        planned = self._planned(args, batch_size)
        if isinstance(max_order, bool) or not isinstance(max_order, int | np.integer):
            most = max(row.n_positions for row in planned)
            raise OrderError("max_order", repr(max_order), f"an integer from 1 to {most}, the number of inputs")
        question = self._question(index, int(max_order), checks.integer("max_terms", max_terms), outputs)
        explained = self._explained(planned, question, max_evals, silent)
        return [row.results[0] if row.outputs is None else list(row.results) for row in explained]

    def save(self, out_file: Any, model_saver: Any = ".save", masker_saver: Any = ".save") -> None:
        """Write the explainer to a stream, with all its arguments.

        Args:
            out_file: a stream of bytes.
            model_saver: how the model is written: pickled by default; a function ``saver(model, stream)``; or
                ``False``: not at all.
            masker_saver: the same for the masker.
        """
        for name, saver in (("model_saver", model_saver), ("masker_saver", masker_saver)):
            if not (saver in (_BY_DEFAULT, "auto", None, False) or callable(saver)):
                raise ArgumentError(name, repr(saver), "a function `saver(value, stream)`, False, or nothing")
        # SHAP's own way loses arguments, and cannot read pipelines and composite maskers again.
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
            model_loader: a function of the stream that returns the model, if it was written by another, or not at all.
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

    def explain_row(self, *row_args: Any, **settings: Any) -> dict[str, Any]:
        """Not offered: an explainer is called with rows, and then shares between them what can be shared."""
        raise NotImplementedError("call the explainer with `[row]` instead")

    def _planned(self, args: Sequence[Any], batch_size: int | str) -> list[PlannedRow]:
        has_answers = isinstance(self.masker, maskers.OutputComposite) and len(args) == 2
        rows = rows_of(args[:1] if has_answers else args, self.masker)
        if has_answers and len(args[1]) != len(rows):
            raise ArgumentError("X", f"{len(rows)} texts and {len(args[1])} answers", "an answer for each text")
        of_rows = [self._masker_of(args[1][row] if has_answers else None) for row in range(len(rows))]
        size = None if batch_size == "auto" else checks.integer("batch_size", batch_size)
        return planned_rows(self.model, of_rows, self.link, self.linearize_link, rows, size, self.feature_names)

    def _masker_of(self, answer: str | None) -> Any:
        """Return the masker of a row; that of a language model also gives the answer, the model's own unless given."""
        if not isinstance(self.masker, maskers.OutputComposite):
            return self.masker
        own = self.masker.model if answer is None else models.TextGeneration(target_sentences=[answer])
        return maskers.OutputComposite(self.masker.masker, Once(own))

    def _question(self, index: str, max_order: int, max_terms: int, outputs: Any) -> Question:
        seed = int(np.random.default_rng().integers(2**63)) if self.seed is None else self.seed
        return Question(index, max_order, max_terms, outputs, self.approximator, seed)

    def _explained(
        self, planned: Sequence[PlannedRow], question: Question, max_evals: int | str, silent: bool
    ) -> Iterator[ExplainedRow]:
        def budget_of(n_players: int) -> int:
            return self.default_max_evals(n_players) if max_evals == "auto" else checks.budget("max_evals", max_evals)

        with in_words(_SHAPS_WORDS):
            rows = with_budgets(planned, question, budget_of)
            backgrounds: dict[str | None, Floats | None] = {}
            title = f"{type(self).__name__} explainer"
            for row in tqdm(rows, desc=title, unit="row", disable=silent, delay=_SHOWN_AFTER, dynamic_ncols=True):
                kind = row.game.background_kind
                row.game.background = None if kind is None else backgrounds.get(kind)
                yield self._explained_row(row, question)
                backgrounds[kind] = row.game.background

    def _explained_row(self, row: PlannedRow, question: Question) -> ExplainedRow:
        results, outputs = row.explained(question)
        return ExplainedRow(
            results=results,
            base_values=row.game.shown[0],
            outputs=outputs,
            output_names=self._names_of(outputs, row),
            shapes=row.shapes,
            feature_names=row.feature_names,
            own_names=callable(getattr(self.masker, "feature_names", None)),
            data=_shown(self.masker, row.arguments),
        )

    def _names_of(self, outputs: Ints | None, row: PlannedRow) -> list[str] | None:
        names = getattr(self.model, "output_names", None) if self.output_names is None else self.output_names
        names = names(*row.arguments) if callable(names) else names
        if outputs is None:
            return None
        if names is None:
            return [f"Output {number}" for number in outputs]
        if len(names) <= outputs.max():
            came = f"{len(names)} names, for a model whose output {outputs.max()} is explained"
            raise ArgumentError("output_names", came, "a name for every output")
        return [str(names[number]) for number in outputs]


def _checked_interactions(interactions: Any) -> bool:
    is_number = isinstance(interactions, int | np.integer) and not isinstance(interactions, bool)
    if isinstance(interactions, bool) or (is_number and interactions in (0, 1, 2)):
        return interactions is True or interactions == 2  # 1 is order 1, as in `shap.TreeExplainer`
    hint = (
        f"Call `.interactions(X, max_order={interactions})`"
        if isinstance(interactions, int)
        else "Call `.interactions(X)`"
    )
    raise ArgumentError("interactions", repr(interactions), "False, True or 2", f"{hint}, for any order and index.")


def _checked_seed(seed: Any) -> int | None:
    if seed is None or (isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0):
        return None if seed is None else int(seed)
    raise ArgumentError("seed", repr(seed), "None, or an integer of at least 0")


def _masker(masker: Any) -> Any:
    """Return a masker as SHAP takes it; what its constructor leaves to do for some is done here."""
    if isinstance(masker, torch.Tensor):
        masker = masker.detach().cpu().numpy()
    if isinstance(masker, list | tuple) and masker and all(isinstance(one, maskers.Masker) for one in masker):
        return maskers.Composite(*masker)
    if isinstance(masker, dict) and "mean" in masker:
        return maskers.Independent(masker)
    if scipy.sparse.issparse(masker):
        rows = sample(masker, _MOST_BACKGROUND) if masker.shape[0] > _MOST_BACKGROUND else masker
        return maskers.Independent(rows.toarray())
    if masker is None or callable(masker):
        return masker
    if len(getattr(masker, "shape", ())) == 2 and masker.shape[0] > 0:
        return masker
    allowed = "a masker of `shap.maskers`, a table of background rows, a tokenizer, or a function `masker(mask, *row)`"
    shape = f" of shape {masker.shape}" if hasattr(masker, "shape") else ""
    raise ArgumentError("masker", f"a {type(masker).__name__}{shape}", allowed)


def _check_together(model: Any, masker: Any) -> None:
    """Raise for a model and a masker that cannot belong together."""
    if masker is None:
        allowed = "a masker of `shap.maskers`, a table of background rows, a tokenizer, or a function"
        raise ArgumentError("masker", "None", allowed, "Only pipelines of the library transformers bring their own.")
    if isinstance(model, TorchModel) and isinstance(masker, maskers.Text):
        hint = 'Pass `transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)`.'
        raise ArgumentError("model", "a torch module, for texts", "a pipeline, or a function of texts", hint)
    tables = (maskers.Independent, maskers.Partition)
    if isinstance(model, _TEXT_MODELS) and isinstance(masker, tables):
        came = f"a `{type(masker).__name__}` masker, of tables, for a model of texts"
        raise ArgumentError("masker", came, "a tokenizer, or a `shap.maskers.Text`")


def _shown(masker: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a row as the masker shows them, texts as tokens."""
    if hasattr(masker, "data_transform"):
        return tuple(np.asarray(part) for part in masker.data_transform(*arguments))
    return arguments
