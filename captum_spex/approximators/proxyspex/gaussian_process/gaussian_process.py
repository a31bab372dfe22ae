"""The Gaussian process on masks as a proxy: what is learnt, and its predictions out of sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from captum_spex import checks
from captum_spex.approximators.proxyspex.gaussian_process.conditioning import (
    Conditioned,
    Process,
    Solver,
    TermPrior,
    expansion,
    posterior,
    signs_of,
)
from captum_spex.approximators.proxyspex.gaussian_process.hyperparameters import Hyperparameters, maximise_evidence
from captum_spex.approximators.proxyspex.gaussian_process.link_learning import LearnedLink
from captum_spex.approximators.proxyspex.gaussian_process.sparse_terms import find_terms
from captum_spex.approximators.proxyspex.gaussian_process.start import Start, Told
from captum_spex.approximators.proxyspex.proxy import Expected, FittedProxy, Pilot, ProxyData, squared_errors
from captum_spex.approximators.proxyspex.settings import SETTINGS
from captum_spex.arrays import Floats, Rows
from captum_spex.model import GameModel, Link, LinkedExpansion


@dataclass(frozen=True)
class GaussianProcess:
    """Settings of the Gaussian process on masks.

    Two product kernels that share one learnt weight for each player, one for each end of the lattice, a linear kernel,
    a nugget; Fourier terms with variances of their own where the evidence insists; and, beside it, a second process
    behind a learnt monotone link, for values that are a squashed score. Which of the two is used, or both, is decided
    by predictions out of sample.

    Attributes:
        n_steps: steps up the evidence; few on purpose.
        learning_rate: of these steps.
        max_rows: masks that the hyper-parameters are learnt on, drawn at random.
        terms: whether Fourier terms are searched.
        links: whether a link is learnt.
        most_exact: masks up to which the process is conditioned exactly; beyond, on ``n_inducing`` inducing masks.
        n_inducing: number of inducing masks.
        start: where the steps begin; ``None``: at the usual place.
    """

    n_steps: int = 20
    learning_rate: float = 0.25
    max_rows: int = 768
    terms: bool = True
    links: bool = True
    most_exact: int = 10_000
    n_inducing: int = 4_096
    start: Start | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("n_steps", "max_rows", "most_exact", "n_inducing"):
            object.__setattr__(self, name, checks.integer(name, getattr(self, name)))
        for name in ("terms", "links"):
            object.__setattr__(self, name, checks.flag(name, getattr(self, name)))
        object.__setattr__(self, "learning_rate", checks.positive("learning_rate", self.learning_rate))

    def surrogates(self, data: ProxyData, rivals: Sequence[FittedProxy]) -> list[FittedProxy]:
        """Fit the process, and the process behind a link where there is a curve to learn."""
        learner, state = Learner(self, data), data.rng.bit_generator.state
        linked = learner.linked() if self.links else None
        plain = learner.plain()
        found = [plain] if linked is None else [plain, linked]
        if learner.told is None or learner.told.is_followed(found, data.values):
            return found
        data.rng.bit_generator.state = state  # as if nothing had been told
        return replace(self, start=None, links=learner.told.links).surrogates(data, rivals)

    def among_outputs(self, data: ProxyData) -> tuple[GaussianProcess, bool]:
        """See `SharingProxy`."""
        learner = Learner(self, data)
        together = learner.is_better_together()
        return replace(self, start=learner.start(0 if together else self.own_steps)), together

    @property
    def own_steps(self) -> int:
        """How many steps an output takes from where many together led."""
        return min(SETTINGS.own_steps, self.n_steps)

    def following(self, pilots: Sequence[Pilot], useful: Sequence[bool]) -> GaussianProcess:
        """See `SharingProxy`; the plain process is kept, as error bars are its own."""
        start = self.start
        if start is not None and start.n_steps and len(pilots[0].values) >= SETTINGS.follower_masks:
            start = replace(start, told=Told.by(pilots, links=self.links))
        return replace(self, links=self.links and any(useful[1:]), start=start)

    def guide(self, data: ProxyData) -> GameModel:
        """Return the process fitted to the values of the first output, without terms.

        Of few players behind a link, where there is a curve to learn: then the posterior is that of the latent game.
        """
        learner = Learner(self, data)
        few = data.masks.shape[1] <= SETTINGS.adaptive_players
        linked = learner.quick_linked() if self.links and few else None
        if linked is None:
            fitted = learner.quick()
            return GameModel(expansion(fitted, 0), posterior(fitted, data.masks, data.noise))
        fitted, link = linked
        return GameModel((LinkedExpansion(*expansion(fitted, 0), link),), posterior(fitted, data.masks, data.noise))


@dataclass(frozen=True, eq=False)
class Learner:
    """Learns from data, and predicts them out of sample.

    A mask's own value takes part in learning the hyper-parameters, so leaving it out of the conditioning alone is
    optimistic. Masks that had no part in learning are predicted as they are; where all had, each half is predicted
    with what the other half taught.
    """

    settings: GaussianProcess
    data: ProxyData

    def quick(self) -> Conditioned:
        """Fit the process to the values themselves, without terms, to choose masks by."""
        order = self._shuffled()
        values = self.data.values
        return self._conditioned(self._learned(order[: self.settings.max_rows], values), None, values)

    def quick_linked(self) -> tuple[Conditioned, Link] | None:
        """Fit the process to latent scores, to choose masks by; ``None`` where there is no curve to learn."""
        found = self._fitted_to_latents()
        return None if found is None else (found[0], found[1][0])

    def plain(self) -> FittedProxy:
        """Fit the process to the values themselves."""
        masks, values, order = self.data.masks, self.data.values, self._shuffled()
        rows = order[: self.settings.max_rows]
        hyper, terms = self._with_terms(self._learned(rows, values), rows, order)
        told = self.told
        fitted = self._conditioned(hyper, terms, values, SETTINGS.unseen_masks)
        left_out = fitted.left_out.copy() if told is None else told.left_out(fitted.left_out, values, 0)
        for held_out, learnt_on in self._halves():
            # Learnt afresh without the terms, the kernel would have to tell what they tell: it is only retuned.
            there = self._retuned(hyper, terms, learnt_on) if terms else self._alone._learned(learnt_on, values)
            left_out[held_out] = self._conditioned(there, terms, values).left_out[held_out]
        if self._misled(fitted.left_out, left_out):
            return self._alone.plain()
        parts = [expansion(fitted, column) for column in range(values.shape[1])]
        name = "Gaussian process" + (f" with {len(terms.sets)} terms" if terms else "")
        bars, expected = posterior(fitted, masks, self.data.noise), Expected(fitted.variances, fitted.unseen)
        n_learnt = 2 * masks.shape[1]  # a decay and a linear variance for each player; the others are few
        return FittedProxy(name, parts, left_out, fitted.left_out, bars, expected, n_learnt)

    def _with_terms(self, hyper: Hyperparameters, rows: Rows, order: Rows) -> tuple[Hyperparameters, TermPrior | None]:
        """Search terms, where that is wanted; among outputs that follow, from those that the others found."""
        if not self.settings.terms:
            return hyper, None
        masks, values, told = self.data.masks[order], self.data.values[order], self.told
        retune = (lambda h, t: self._retuned(h, t, rows)) if len(masks) >= SETTINGS.retuning_masks else None
        like = self._solver.like
        if told is None:
            return find_terms(hyper, masks, values, retune=retune, like=like)
        return find_terms(hyper, masks, values, retune=retune, like=like, known=told.terms, rounds=1)

    def linked(self) -> FittedProxy | None:
        """Fit the process to latent scores of the values; ``None`` where there is no curve to learn."""
        found = self._fitted_to_latents()
        if found is None:
            return None
        (fitted, links), values = found, self.data.values
        reused = _applied(links, fitted.left_out)
        left_out = reused.copy() if self.told is None else self.told.left_out(reused, values, 1)
        for held_out, learnt_on in self._halves():
            if _fewest_distinct(values[learnt_on]) < SETTINGS.link_values // 2:
                continue
            hyper_there, learned_there = self._alone._learned_links(learnt_on)
            other = self._conditioned(hyper_there, None, _applied(learned_there, values))
            left_out[held_out] = _applied(_links(learned_there, other), other.left_out)[held_out]
        if self._misled(reused, left_out):
            return self._alone.linked()
        parts = [(LinkedExpansion(*expansion(fitted, column), link),) for column, link in enumerate(links)]
        return FittedProxy("Gaussian process behind a link", parts, left_out, reused)

    def start(self, n_steps: int) -> Start:
        """Return where the outputs together lead, from where each takes some steps."""
        rows, values = self._shuffled()[: self.settings.max_rows], self.data.values
        has_curves = self.settings.links and _fewest_distinct(values) >= SETTINGS.link_values
        return Start(self._learned(rows, values), self._learned_links(rows)[0] if has_curves else None, n_steps)

    def is_better_together(self) -> bool:
        """Whether the outputs are predicted about as well by one kernel for all as each by a kernel of its own."""
        values, logs = self.data.values, []
        self._shuffled()  # keeps the order of the draws, so the results of a seed
        for held_out, learnt_on in self._halves():
            hyper = self._learned(learnt_on, values)
            together = self._conditioned(hyper, None, values).left_out
            for column in range(min(SETTINGS.pilots, values.shape[1])):
                own = values[:, [column]]
                settings = replace(self.settings, start=Start(hyper, None, self.settings.own_steps))
                alone = replace(self, settings=settings)._learned(learnt_on, own)
                errors = [self._conditioned(alone, None, own).left_out[held_out, 0], together[held_out, column]]
                mine, shared = (squared_errors(one, own[held_out, 0]) for one in errors)
                logs.append(np.log(shared / mine))
        return bool(logs) and float(np.mean(logs)) < SETTINGS.worth_a_kernel

    def _fitted_to_latents(self) -> tuple[Conditioned, list[Link]] | None:
        """Fit the process to latent scores of the values; ``None`` where there is no curve to learn."""
        values = self.data.values
        if _fewest_distinct(values) < SETTINGS.link_values:
            return None
        hyper, learned = self._learned_links(self._shuffled()[: self.settings.max_rows])
        fitted = self._conditioned(hyper, None, _applied(learned, values))
        return fitted, _links(learned, fitted)

    def _misled(self, reused: Floats, left_out: Floats) -> bool:
        """Whether a start elsewhere led to a kernel that predicts worse than one that half of the masks taught."""
        errors = [((predicted - self.data.values) ** 2).sum() for predicted in (reused, left_out)]
        return self.settings.start is not None and self.told is None and bool(errors[0] > errors[1])

    @property
    def told(self) -> Told | None:
        """What outputs of the same model told that were fitted in full, if any were."""
        return None if self.settings.start is None else self.settings.start.told

    @property
    def _alone(self) -> Learner:
        """The same without what other outputs taught: they were told of the masks that are left out here."""
        return replace(self, settings=replace(self.settings, start=None))

    def _shuffled(self) -> Rows:
        return self.data.rng.permutation(len(self.data.masks))

    def _halves(self) -> list[tuple[Rows, Rows]]:
        """Return rows to predict anew, and the rows to learn from for them."""
        most, rng = self.settings.max_rows, self.data.rng
        if len(self.data.masks) >= 2 * most or self.told is not None:
            return []  # enough masks had no part in learning; those that had keep their predictions
        first, second = self.data.folds(2)
        return [(first, rng.permutation(second)[:most]), (second, rng.permutation(first)[:most])]

    def _learned(self, rows: Rows, targets: Floats, *, linked: bool = False) -> Hyperparameters:
        signs, chosen = self._tensors(rows, targets)
        start = Hyperparameters.initial(signs, chosen)
        n_steps, learning_rate = self.settings.n_steps, self.settings.learning_rate
        if self.settings.start is not None:
            start, n_steps = self.settings.start.of(start, linked=linked), self.settings.start.n_steps
        terms = None if linked or self.told is None else self.told.terms
        draws, extra = self._draws(len(rows), SETTINGS.follower_steps), self._extra(terms, rows, signs)
        return maximise_evidence(
            start,
            signs,
            chosen,
            n_steps=n_steps if draws is None else len(draws),
            learning_rate=learning_rate,
            extra=extra,
            draws=draws,
        )

    def _retuned(self, hyper: Hyperparameters, terms: TermPrior | None, rows: Rows) -> Hyperparameters:
        signs, chosen = self._tensors(rows, self.data.values)
        return maximise_evidence(
            hyper.to(signs),
            signs,
            chosen,
            n_steps=SETTINGS.retuning_steps,
            learning_rate=SETTINGS.retuning_rate,
            extra=self._extra(terms, rows, signs),
            draws=self._draws(len(rows), SETTINGS.retuning_steps),
        )

    def _extra(self, terms: TermPrior | None, rows: Rows, like: Tensor) -> Tensor | None:
        """Return what terms add to the covariance of some masks."""
        masks = self.data.masks[rows]
        return None if terms is None else terms.covariance(masks, masks, like)

    def _draws(self, n_rows: int, n_steps: int) -> list[Tensor] | None:
        """Return which rows each step looks at; ``None``: all of them."""
        if self.told is None or n_rows <= SETTINGS.follower_masks:
            return None
        rng = self.data.rng
        return [torch.from_numpy(rng.permutation(n_rows)[: SETTINGS.follower_masks]) for _ in range(n_steps)]

    def _learned_links(self, rows: Rows) -> tuple[Hyperparameters, list[LearnedLink]]:
        """Learn kernel and link in turns: the link is what latent scores predicted out of sample make of the values."""
        data = self.data
        initial = [LearnedLink.initial(column) for column in data.values[rows].T]
        latents = _applied(initial, data.values)
        process = Process(self._learned(rows, latents, linked=True), None)
        predicted = self._solver(process, data.masks[rows], latents[rows], data.noise[rows]).left_out
        learned = [
            link.relearned(column, scores)
            for link, column, scores in zip(initial, data.values[rows].T, predicted.T, strict=True)
        ]
        relinked = replace(self, data=replace(data, values=_applied(learned, data.values)))
        return relinked._retuned(process.hyper, None, rows), learned

    def _conditioned(
        self, hyper: Hyperparameters, terms: TermPrior | None, targets: Floats, n_unseen: int = 0
    ) -> Conditioned:
        return self._solver(Process(hyper, terms), self.data.masks, targets, self.data.noise, n_unseen=n_unseen)

    @property
    def _solver(self) -> Solver:
        return Solver(self.settings.most_exact, self.settings.n_inducing, self.data.device)

    def _tensors(self, rows: Rows, targets: Floats) -> tuple[Tensor, Tensor]:
        like = torch.zeros((), dtype=torch.float32, device=self.data.device)
        return signs_of(self.data.masks[rows], like), torch.from_numpy(targets[rows]).to(like)


def _fewest_distinct(values: Floats) -> int:
    return min(len(np.unique(column)) for column in values.T)


def _applied(links: Sequence[LearnedLink | Link], columns: Floats) -> Floats:
    return np.stack([link(column) for link, column in zip(links, columns.T, strict=True)], axis=1)


def _links(learned: Sequence[LearnedLink], conditioned: Conditioned) -> list[Link]:
    noise = float(np.sqrt(conditioned.variances.mean()))
    return [link.link(noise) for link in learned]
