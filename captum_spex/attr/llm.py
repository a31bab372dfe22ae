"""Captum's attribution of language models, in batches and with interactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from captum_spex.attr import _captum
from captum_spex.attr._attribution import SpexAttribution, explain_in_captums_words, shapley_values
from captum_spex.attr._language_game import Inspect, LanguageGame
from captum_spex.errors import ArgumentError
from captum_spex.evaluate import checked_budget, checked_positive
from captum_spex.explain import RandomState, StoreArgument
from captum_spex.interactions import Interactions

_COLORS = {True: "#4772b3", False: "#d0365b"}  # Captum's


class SpexLLMAttributionResult(_captum.LLMAttributionResult):  # type: ignore[misc]
    """What Captum's ``LLMAttributionResult`` holds, and the interactions.

    Attributes:
        interactions: of the whole answer.
        token_interactions: of each token of the answer.
    """

    def __init__(self, *, interactions: Interactions, token_interactions: list[Interactions], **captums: Any) -> None:
        super().__init__(**captums)
        self.interactions = interactions
        self.token_interactions = token_interactions

    def plot_interactions(
        self, order: int = 2, top: int = 10, token: int | None = None, show: bool = False
    ) -> tuple[Any, Any] | None:
        """Draw the largest interactions of an order as bars.

        Args:
            order: how many players interact.
            top: how many interactions to draw.
            token: which token of the answer; default: the whole answer.
            show: whether to show the picture instead of returning it.

        Returns:
            Figure and axes of matplotlib, or ``None`` if shown.
        """
        import matplotlib.pyplot as plt

        chosen = self.interactions if token is None else self.token_interactions[token]
        largest = chosen.top(top, order=order)
        if not largest:
            raise ArgumentError("order", str(order), f"1 to {chosen.max_order}, orders of which there are terms")
        names = [chosen.name_of(players) for players in largest]
        values = list(largest.values())
        figure, axes = plt.subplots(figsize=(6.4, max(1.6, 0.8 + 0.35 * len(names))), layout="constrained")
        axes.barh(range(len(names)), values, color=[_COLORS[value > 0] for value in values])
        axes.set_yticks(range(len(names)), labels=names)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        answer = "".join(self.output_tokens) if token is None else self.output_tokens[token]
        axes.set_xlabel(f"{chosen.index} of order {order}, {answer.strip()!r}")
        if not show:
            return figure, axes
        plt.show()
        return None


class SpexLLMAttribution(_captum.LLMAttribution):  # type: ignore[misc]
    """A drop-in for Captum's ``LLMAttribution`` with `ProxySpex` or `Spex`: in batches, and with interactions.

    Values are those of Captum's ``forward_in_tokens=False``: the prompt and the answer in one pass.

    Args:
        attr_method: `captum_spex.attr.ProxySpex` or `captum_spex.attr.Spex` of a causal language model of the library
            transformers.
        tokenizer: its tokenizer.
        attr_target: ``"log_prob"`` or ``"prob"``.

    Example:
        >>> from captum.attr import TextTemplateInput
        >>> from transformers import GPT2Config, GPT2LMHeadModel
        >>> from captum_spex.attr import ProxySpex
        >>> from captum_spex.games.text import embedded_model
        >>> tokenizer = embedded_model()[1]                       # any tokenizer; a network that has learnt nothing
        >>> config = GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=16, n_layer=1, n_head=2)
        >>> attribution = SpexLLMAttribution(ProxySpex(GPT2LMHeadModel(config).eval()), tokenizer)
        >>> result = attribution.attribute(TextTemplateInput("a {} {}", ["good", "film"]), target="no")
        >>> result.seq_attr.shape, result.token_attr.shape, result.interactions.n_evaluations
        (torch.Size([2]), torch.Size([1, 2]), 4)
    """

    def __init__(self, attr_method: SpexAttribution, tokenizer: Any, attr_target: str = "log_prob") -> None:
        if not isinstance(attr_method, SpexAttribution):
            allowed = "`captum_spex.attr.ProxySpex(model)` or `captum_spex.attr.Spex(model)`"
            raise ArgumentError("attr_method", f"a {type(attr_method).__name__}", allowed)
        if attr_target not in ("log_prob", "prob"):
            raise ArgumentError("attr_target", repr(attr_target), "'log_prob' or 'prob'")
        super().__init__(attr_method, tokenizer, attr_target)

    def attribute(
        self,
        inp: Any,
        target: str | Tensor | None = None,
        num_trials: int = 1,
        gen_args: Mapping[str, Any] | None = None,
        use_cached_outputs: bool = False,
        _inspect_forward: Inspect | None = None,
        forward_in_tokens: bool = False,
        *,
        n_samples: int | None = None,
        interaction_index: str = "SII",
        max_order: int = 2,
        random_state: RandomState = None,
        show_progress: bool = False,
        tokens_per_batch: int | None = None,
        store: StoreArgument = None,
    ) -> SpexLLMAttributionResult:
        """Attribute an answer to the parts of a prompt, and to groups of them.

        Args:
            inp: Captum's ``TextTokenInput``, ``TextTemplateInput`` or ``ImageMaskInput``.
            target: the answer, as text or tokens; default: what the model generates.
            num_trials: ``n_samples`` are taken this many times, all for one result.
            gen_args: arguments of the generation, as in Captum.
            use_cached_outputs: taken for nothing, as there is one way to call the model.
            _inspect_forward: called with prompt, answer and outputs of every evaluation, as in Captum.
            forward_in_tokens: taken for nothing, as there is one way to call the model.
            n_samples: evaluations; default: `captum_spex.explain.default_budget`.
            interaction_index: index of the interactions, see `captum_spex.indices.NAMES`.
            max_order: largest order of an interaction.
            random_state: seed of the masks.
            show_progress: show a progress bar.
            tokens_per_batch: the most tokens at once; default 2,048 on a CPU, else 65,536.
            store: a file in which every evaluated batch is kept, see `captum_spex.explain`.

        Returns:
            The result, with Shapley values as ``seq_attr`` and ``token_attr``, and the interactions.

        Raises:
            ArgumentError: an argument that cannot be used.
        """
        target_tokens = self._checked_target(inp, target, gen_args)
        game = LanguageGame(self, inp, target_tokens, inspect=_inspect_forward, tokens_per_batch=tokens_per_batch)
        default = self.attr_method.default_n_samples(game.n_players)
        budget = default if n_samples is None else checked_budget("n_samples", n_samples)
        results = explain_in_captums_words(
            game,
            budget=budget * checked_positive("num_trials", num_trials),
            index=interaction_index,
            max_order=min(max_order, game.n_players) if max_order == 2 else max_order,
            approximator=self.attr_method.approximator,
            random_state=random_state,
            show_progress=show_progress,
            store=store,
        )
        return self._result(inp, target_tokens, results)

    def _checked_target(self, inp: Any, target: Any, gen_args: Any) -> Tensor:
        if not isinstance(inp, self.SUPPORTED_INPUTS):
            allowed = ", ".join(kind.__name__ for kind in self.SUPPORTED_INPUTS)
            raise ArgumentError("inp", f"a {type(inp).__name__}", allowed)
        if target is not None and not isinstance(target, str | Tensor):
            raise ArgumentError("target", f"a {type(target).__name__}", "a text, its tokens, or None")
        if target is not None and gen_args is not None:
            raise ArgumentError("gen_args", repr(gen_args), "None where `target` is given")
        with torch.inference_mode():
            tokens = self._get_target_tokens(inp, target, gen_args=gen_args)
        if not len(tokens):
            came = "None, and the model generates nothing" if target is None else f"{target!r}, which has no tokens"
            raise ArgumentError("target", came, "an answer of at least one token")
        if isinstance(target, str) and getattr(self.tokenizer, "unk_token_id", None) in tokens.tolist():
            hint = "Give the tokens themselves if this is meant."
            raise ArgumentError(
                "target", f"{target!r}, which the tokenizer cannot encode", "a text that it knows", hint
            )
        return tokens.clone()

    def _result(
        self, inp: Any, target_tokens: Tensor, results: Interactions | list[Interactions]
    ) -> SpexLLMAttributionResult:
        outputs = results if isinstance(results, list) else [results]
        shapley = np.stack([shapley_values(one) for one in outputs])
        attributions = inp.format_attr(torch.tensor(shapley, dtype=torch.float, device=self.device))
        return SpexLLMAttributionResult(
            interactions=outputs[0],
            token_interactions=outputs[1:],
            seq_attr=attributions[0],
            token_attr=attributions[1:],
            input_tokens=inp.values,
            output_tokens=_captum.pretty_tokens(target_tokens, self.tokenizer),
            inp=inp,
        )
