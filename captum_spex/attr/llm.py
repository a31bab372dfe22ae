"""Captum's attribution of language models, in batches and with interactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from captum_spex import checks
from captum_spex.arrays import type_of
from captum_spex.attr.attribution import SpexAttribution
from captum_spex.attr.language_game import Inspect, LanguageGame
from captum_spex.attr.request import Request
from captum_spex.checks import RandomState
from captum_spex.compat import captum
from captum_spex.compat.versions import CAPTUM_LLM, check_version
from captum_spex.errors import ArgumentError
from captum_spex.evaluation.torch_models import check_mode
from captum_spex.explaining import StoreArgument
from captum_spex.exports.result import BLUE, RED, clipped, heading
from captum_spex.exports.shap.additive_values import shapley_values
from captum_spex.games.text.answer_scorer import check_loaded, device_of
from captum_spex.games.text.length_limit import token_limit
from captum_spex.games.text.prompts import checked_choice_of_special_tokens, kept, n_added
from captum_spex.interactions import Interactions

check_version(CAPTUM_LLM)

_LONGEST_NAME = 60  # characters that fit beside the bars


class SpexLLMAttributionResult(captum.LLMAttributionResult):  # type: ignore[misc]
    """Captum's ``LLMAttributionResult`` with interactions.

    Attributes:
        answer: the answer as text.
        interactions: of the complete answer.
        token_interactions: of each token of the answer; empty without ``per_token``.
    """

    def __init__(
        self, *, answer: str, interactions: Interactions, token_interactions: list[Interactions], **captums: Any
    ) -> None:
        super().__init__(**captums)
        self.answer = answer
        self.interactions = interactions
        self.token_interactions = token_interactions

    def plot_interactions(
        self, order: int = 2, top: int = 10, token: int | None = None, show: bool = False
    ) -> tuple[Any, Any] | None:
        """Draw the largest interactions of an order as bars: red raises the answer's value, blue lowers it.

        Captum's own pictures, such as ``plot_token_attr``, have it the other way round.

        Args:
            order: number of interacting players.
            top: number of interactions to draw.
            token: which token of the answer; default: the complete answer.
            show: whether to show the picture instead of returning it.

        Returns:
            Figure and axes of matplotlib, or ``None`` if shown.
        """
        import matplotlib.pyplot as plt

        chosen, answer = self.interactions, self.answer
        if token is not None:
            n_tokens = len(self.token_interactions)
            hint = "None draws the complete answer."
            number = checks.integer("token", token, -n_tokens, n_tokens - 1, hint=hint)
            chosen, answer = self.token_interactions[number], self.output_tokens[number]
        largest = chosen.top(checks.integer("top", top), order=order)
        if not largest:
            raise ArgumentError("order", str(order), f"an order that has terms, {checks.span(1, chosen.max_order)}")
        names = [_label(chosen.name_of(players)) for players in largest]
        values = list(largest.values())
        figure, axes = plt.subplots(figsize=(6.4, max(1.6, 0.8 + 0.35 * len(names))), layout="constrained")
        axes.barh(range(len(names)), values, color=[RED if value > 0 else BLUE for value in values])
        axes.set_yticks(range(len(names)), labels=names)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_xlabel(f"{heading(chosen, order)}; {_label(repr(answer.strip()))}")
        if not checks.flag("show", show):
            return figure, axes
        plt.show()
        return None


def _label(text: str) -> str:
    """Return a text for a picture: one line, shortened, dollar signs escaped as matplotlib reads mathematics."""
    return clipped(" ".join(text.split()), _LONGEST_NAME).replace("$", r"\$")


class SpexLLMAttribution(captum.LLMAttribution):  # type: ignore[misc]
    """A drop-in for Captum's ``LLMAttribution`` with `ProxySpex` or `Spex`: in batches, and with interactions.

    Values are those of Captum's ``forward_in_tokens=False``: the prompt and the answer in one pass.

    Args:
        attr_method: `captum_spex.attr.ProxySpex` or `captum_spex.attr.Spex` of a causal language model of
            transformers.
        tokenizer: its tokenizer.
        attr_target: ``"log_prob"`` or ``"prob"``.
        special_tokens: whether the tokenizer's special tokens stand around the prompt. Default: at its beginning unless
            it begins with them itself, as chat text may; not between prompt and answer. Captum: always.

    Raises:
        ArgumentError: an argument that cannot be used.

    Example:
        >>> from captum.attr import TextTemplateInput
        >>> from transformers import GPT2Config, GPT2LMHeadModel
        >>> from captum_spex.attr import ProxySpex
        >>> from captum_spex.games.text import embedded_model
        >>> tokenizer = embedded_model()[1]                       # any tokenizer; an untrained network
        >>> config = GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=16, n_layer=1, n_head=2)
        >>> attribution = SpexLLMAttribution(ProxySpex(GPT2LMHeadModel(config).eval()), tokenizer)
        >>> result = attribution.attribute(TextTemplateInput("a {} {}", ["good", "film"]), target="no")
        >>> result.seq_attr.shape, result.token_attr.shape, result.interactions.n_evaluations
        (torch.Size([2]), torch.Size([1, 2]), 4)
    """

    def __init__(
        self,
        attr_method: SpexAttribution,
        tokenizer: Any,
        attr_target: str = "log_prob",
        *,
        special_tokens: bool | None = None,
    ) -> None:
        if not isinstance(attr_method, SpexAttribution):
            allowed = "`captum_spex.attr.ProxySpex(model)` or `captum_spex.attr.Spex(model)`"
            raise ArgumentError("attr_method", type_of(attr_method), allowed)
        checks.choice("attr_target", attr_target, ("log_prob", "prob"), error=ArgumentError)
        _check_causal(attr_method.forward_func)
        if not callable(getattr(tokenizer, "encode", None)):
            raise ArgumentError("tokenizer", type_of(tokenizer), "the model's tokenizer")
        super().__init__(attr_method, tokenizer, attr_target)
        check_loaded("attr_method", self.model)
        self.device = device_of(self.model)
        self.special_tokens = checked_choice_of_special_tokens(special_tokens)
        self._n_added = n_added(tokenizer)

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
        max_order: int | None = None,
        random_state: RandomState = None,
        show_progress: bool = False,
        per_token: bool = True,
        tokens_per_batch: int | None = None,
        store: StoreArgument = None,
    ) -> SpexLLMAttributionResult:
        """Attribute an answer to the parts of a prompt, and to groups of them.

        The positional arguments are those of ``captum.attr.LLMAttribution.attribute``, in the same order.

        Args:
            inp: Captum's ``TextTokenInput``, ``TextTemplateInput`` or ``ImageMaskInput``.
            target: the answer, as text or tokens; default: what the model generates.
            num_trials: multiplies ``n_samples``; all evaluations make one result.
            gen_args: arguments of the generation, as in Captum, where no target is given.
            use_cached_outputs: has no effect, as there is one way to call the model.
            _inspect_forward: called for every evaluation with prompt, answer, and the probabilities of the answer and
                of each of its tokens, as in Captum.
            forward_in_tokens: has no effect, as there is one way to call the model.
            n_samples: evaluations; default: `captum_spex.budgets.default_budget`.
            interaction_index: index of the interactions, see `captum_spex.indices.NAMES`.
            max_order: largest order of an interaction; default 2, or 1 for a single player.
            random_state: seed of the masks.
            show_progress: show a progress bar.
            per_token: whether each token of the answer is explained too; if not, ``token_attr`` is ``None``, as with
                ``KernelShap``, and the fit is much faster.
            tokens_per_batch: largest number of tokens in a call of the model; default 2,048 on a CPU, else 65,536.
            store: a file in which every evaluated batch is kept, see `captum_spex.explain`.

        Returns:
            The result, with Shapley values as ``seq_attr`` and ``token_attr``, and the interactions.

        Raises:
            ArgumentError: an argument that cannot be used.
        """
        self._check_prompt(inp, target, gen_args)
        self._check_no_feature_is_left_out(inp)
        request = Request(
            n_samples=self.attr_method.default_n_samples(inp.n_itp_features) if n_samples is None else n_samples,
            interaction_index=interaction_index,
            max_order=max_order,
            random_state=random_state,
            show_progress=show_progress,
            store=store,
        )
        n_trials = checks.integer("num_trials", num_trials)
        per_token = checks.flag("per_token", per_token)
        target_tokens = self._checked_tokens(inp, target, gen_args)
        game = LanguageGame(
            self,
            inp,
            target_tokens,
            per_token=per_token,
            inspect=_inspect_forward,
            tokens_per_batch=tokens_per_batch,
        )
        request = replace(request, n_samples=request.n_samples * n_trials)  # type: ignore[operator]
        results = self.attr_method._explain(game, request, self.device)
        return self._result(inp, target_tokens, results, per_token)

    def kept_tokens(self, ids: Sequence[int]) -> slice:
        """Return which tokens of a complete prompt, as the tokenizer makes it, the model reads."""
        return kept(ids, *self._n_added, self.special_tokens, answered=True)

    def _format_model_input(self, model_input: Any) -> dict[str, Any]:
        """Return what the model receives for a complete prompt, as Captum makes it, with its special tokens once."""
        model_inputs: dict[str, Any] = super()._format_model_input(model_input)
        if isinstance(model_input, str | Tensor):
            ids = model_inputs["input_ids"]
            ids = ids[:, self.kept_tokens(ids[0].tolist())].to(self.device)
            # Without it, `generate` takes a first token that is the padding token for padding.
            model_inputs |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return model_inputs

    def _check_prompt(self, inp: Any, target: Any, gen_args: Any) -> None:
        """Check the prompt and the answer as far as the model is not needed."""
        if self.model.training:
            hint = "Call `model.eval()`: in training mode its answers are random."
            raise ArgumentError("attr_method", "one of a model in training mode", "one in evaluation mode", hint)
        check_mode("attr_method", self.model)  # a part of it
        if not isinstance(inp, self.SUPPORTED_INPUTS):
            allowed = ", ".join(kind.__name__ for kind in self.SUPPORTED_INPUTS)
            raise ArgumentError("inp", type_of(inp), allowed)
        if inp.n_itp_features == 0:
            raise ArgumentError("inp", "0", "an input with at least one feature")
        if target is not None and not isinstance(target, str | Tensor):
            raise ArgumentError("target", type_of(target), "a text, its tokens, or None")
        if isinstance(target, Tensor) and (
            target.dim() != 1 or target.dtype == torch.bool or target.is_floating_point() or target.is_complex()
        ):
            got = f"a tensor of {target.dtype} of shape {tuple(target.shape)}"
            raise ArgumentError("target", got, "the answer's tokens as integers of shape (n_tokens,)")
        if target is not None and gen_args is not None:
            raise ArgumentError("gen_args", repr(gen_args), "None where `target` is given")
        if gen_args is not None and not isinstance(gen_args, Mapping):
            raise ArgumentError("gen_args", type_of(gen_args), "a mapping, or None")
        if target is None and not callable(getattr(self.model, "generate", None)):
            expected = f"an answer, as {type_of(self.model)} cannot generate one"
            raise ArgumentError("target", "None", expected)
        if target is None:
            self._check_room(inp, gen_args or captum.DEFAULT_GEN_ARGS)

    def _check_no_feature_is_left_out(self, inp: Any) -> None:
        """Refuse features that the model must not read: Captum's input has all that the tokenizer adds to a text."""
        if not isinstance(inp, captum.TextTokenInput):
            return
        ids = inp.inp_tensor[0]
        is_feature = torch.ones_like(ids, dtype=torch.bool) if inp.itp_mask is None else inp.itp_mask[0]
        is_left_out = torch.ones_like(is_feature)
        is_left_out[self.kept_tokens(ids.tolist())] = False
        wrong = self.tokenizer.convert_ids_to_tokens(ids[is_feature & is_left_out].tolist())
        if wrong:
            got = f"{wrong[0]!r}, which the tokenizer adds at the beginning a second time, or before the answer"
            hint = f"`TextTokenInput(..., skip_tokens={wrong!r})`, or `special_tokens=True` to send it to the model."
            raise ArgumentError("inp", got, "features that are in the prompt", hint)

    def _check_room(self, inp: Any, gen_args: Mapping[str, Any]) -> None:
        limit = token_limit(self.model, self.tokenizer)
        n_new = gen_args.get("max_new_tokens")
        n_new = n_new if isinstance(n_new, int) else 1
        n_prompt = self._format_model_input(inp.to_model_input())["input_ids"].shape[1]
        if limit is None or n_prompt + n_new <= limit:
            return
        got = f"a prompt of {n_prompt} tokens and up to {n_new} to generate"
        expected = f"at most {limit} tokens together, the model's limit"
        if n_prompt >= limit:
            raise ArgumentError("inp", got, expected)
        hint = f'Up to {{"max_new_tokens": {limit - n_prompt}}} fits, or give the `target`.'
        raise ArgumentError("gen_args", got, expected, hint)

    def _checked_tokens(self, inp: Any, target: str | Tensor | None, gen_args: Any) -> Tensor:
        with torch.inference_mode():
            tokens = self._get_target_tokens(inp, target, gen_args=gen_args).to("cpu", torch.int64, copy=True)
        if not len(tokens):
            got = "None, and the model generates nothing" if target is None else f"{target!r}, which has no tokens"
            raise ArgumentError("target", got, "an answer of at least one token")
        if isinstance(target, str) and getattr(self.tokenizer, "unk_token_id", None) in tokens.tolist():
            hint = "Give the tokens themselves if you want to explain the unknown token."
            raise ArgumentError("target", repr(target), "a text that the tokenizer can encode", hint)
        n_known = _vocabulary_size(self.model)
        if int(tokens.min()) < 0 or (n_known is not None and int(tokens.max()) >= n_known):
            expected = "tokens of at least 0" if n_known is None else f"tokens of the model, from 0 to {n_known - 1}"
            raise ArgumentError("target", f"the tokens {tokens.tolist()}", expected)
        return tokens

    def _result(
        self, inp: Any, target_tokens: Tensor, outputs: list[Interactions], per_token: bool
    ) -> SpexLLMAttributionResult:
        if per_token and len(target_tokens) == 1:
            outputs = outputs * 2  # an answer of one token is that token
        shapley = np.stack([shapley_values(one) for one in outputs])
        attributions = inp.format_attr(torch.tensor(shapley, dtype=torch.float, device=self.device))
        return SpexLLMAttributionResult(
            answer=self.tokenizer.decode(target_tokens),
            interactions=outputs[0],
            token_interactions=outputs[1:],
            seq_attr=attributions[0],
            token_attr=attributions[1:] if per_token else None,
            input_tokens=inp.values,
            output_tokens=_shown_tokens(target_tokens, self.tokenizer),
            inp=inp,
        )


def _shown_tokens(tokens: Tensor, tokenizer: Any) -> list[str]:
    """Return tokens as Captum shows them: those of the text that they make; decoded one by one where they make none.

    That is so, for instance, where an answer is cut inside a character.
    """
    again = tokenizer.encode(tokenizer.decode(tokens), add_special_tokens=False)
    if list(again) != tokens.tolist():
        return [tokenizer.decode([token]) for token in tokens.tolist()]
    shown: list[str] = captum.pretty_tokens(tokens, tokenizer)
    return shown


def _check_causal(model: Any) -> None:
    got, expected = f"one of {type_of(model)}", "a method of a causal language model of transformers"
    if not isinstance(model, nn.Module):
        hint = "For a model behind a server use Captum's `RemoteLLMAttribution`, or `captum_spex.games.remote`."
        raise ArgumentError("attr_method", got, expected, hint)
    can_generate = getattr(model, "can_generate", None)
    does_not = callable(can_generate) and not can_generate()
    if does_not or getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise ArgumentError("attr_method", got, expected)


def _vocabulary_size(model: Any) -> int | None:
    try:
        size = model.get_input_embeddings().num_embeddings
    except (AttributeError, NotImplementedError):
        return None
    return size if isinstance(size, int) else None
