"""Tiny transformers and tokenizers, built in memory, and slow twins of the text games, from the definitions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from inspect import signature
from string import ascii_lowercase, digits, punctuation

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

SENTENCES = (
    "Her acting never fails to impress, and the film is good.",
    "The film is never good. Nobody liked the plot; the ending was worse!",
    "What is the capital of France? The capital of France is Paris.",
)
SYSTEM_SHAPE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
FIXED = -1


# --- tokenizers -------------------------------------------------------------------------------------------------------


@cache
def word_tokenizer():
    """BERT's: lower case, punctuation apart, words in pieces, ``[CLS] ... [SEP]``, a mask token, types of pairs."""
    words = {word.strip(punctuation).lower() for sentence in SENTENCES for word in sentence.split()} - {"impress"}
    letters = [*ascii_lowercase, *digits]
    pieces = ["impr", "##ess", *sorted(words), *letters, *(f"##{letter}" for letter in letters), *punctuation]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(pieces)]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def _byte_level(specials):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


@cache
def byte_tokenizer(trims=False, begins=False, chat=False):
    """GPT-2's: pieces of bytes, a space belongs to the word after it; no mask, pad or unknown token.

    ``trims``: whether offsets leave out white space; ``begins``: whether texts begin with ``<s>``, as Llama's.
    """
    tokenizer = _byte_level(["<s>", "</s>"])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trims, add_prefix_space=False)
    if begins:
        start = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)])
        tokenizer.post_processor = processors.Sequence([tokenizer.post_processor, start])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )
    if chat:
        wrapped.chat_template = SYSTEM_SHAPE
    return wrapped


@cache
def roberta_tokenizer():
    tokenizer = _byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


# --- models -----------------------------------------------------------------------------------------------------------

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
GATED = {**SMALL, "intermediate_size": 32, "num_key_value_heads": 2, "max_position_embeddings": 64}
ENDS = {"bos_token_id": 0, "eos_token_id": 1}
LABELS = {"id2label": {0: "bad", 1: "fair", 2: "Good"}, "label2id": {"bad": 0, "fair": 1, "Good": 2}}


def varied(kind, config, seed=0):
    """A network of random weights, so large that its outputs vary; the global random state is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = kind(config).eval()
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if parameter.dim() == 2 and "A_log" not in name:
                    parameter.normal_(0.0, 0.6)
                elif name.endswith("bias") and "dt_proj" not in name:
                    parameter.normal_(0.0, 0.1)
    return network


def _bert(**settings):
    shape = {"vocab_size": len(word_tokenizer()), "intermediate_size": 32, "max_position_embeddings": 40}
    return BertConfig(**{**SMALL, **shape, "pad_token_id": 0, **settings})


@cache
def bert_classifier(n_labels=3, dtype=torch.float32, seed=0):
    labels = LABELS if n_labels == 3 else {"num_labels": n_labels}
    return varied(BertForSequenceClassification, _bert(**labels), seed).to(dtype)


@cache
def bert_encoder(dtype=torch.float32):
    return varied(BertModel, _bert()).to(dtype)


@cache
def roberta_classifier():
    shape = {"vocab_size": len(roberta_tokenizer()), "intermediate_size": 32, "max_position_embeddings": 42}
    return varied(RobertaForSequenceClassification, RobertaConfig(**SMALL, **shape, **LABELS, pad_token_id=1))


@cache
def gpt2_classifier(pad_token_id=1):
    shape = {"vocab_size": len(byte_tokenizer()), "n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2}
    return varied(GPT2ForSequenceClassification, GPT2Config(**shape, **ENDS, **LABELS, pad_token_id=pad_token_id))


@cache
def llama_classifier(pad_token_id=1):
    config = LlamaConfig(vocab_size=len(byte_tokenizer()), **GATED, **ENDS, **LABELS, pad_token_id=pad_token_id)
    return varied(LlamaForSequenceClassification, config)


def _gpt2(size):
    return varied(GPT2LMHeadModel, GPT2Config(vocab_size=size, n_positions=64, n_embd=16, n_layer=2, n_head=2, **ENDS))


def _llama(size):
    return varied(LlamaForCausalLM, LlamaConfig(vocab_size=size, **GATED, **ENDS))


def _opt(size):
    shape = {**SMALL, "ffn_dim": 32, "word_embed_proj_dim": 16, "max_position_embeddings": 64}
    return varied(OPTForCausalLM, OPTConfig(vocab_size=size, **shape, **ENDS, pad_token_id=None))


def _bloom(size):
    return varied(BloomForCausalLM, BloomConfig(vocab_size=size, hidden_size=16, n_layer=2, n_head=2, **ENDS))


def _mistral(size):
    return varied(MistralForCausalLM, MistralConfig(vocab_size=size, **GATED, **ENDS, sliding_window=6))


def _mamba(size):
    shape = {"hidden_size": 16, "state_size": 4, "num_hidden_layers": 2, "time_step_rank": 2}
    return varied(MambaForCausalLM, MambaConfig(vocab_size=size, **shape, **ENDS, pad_token_id=None))


_CAUSAL = {"gpt2": _gpt2, "llama": _llama, "opt": _opt, "bloom": _bloom, "mistral": _mistral, "mamba": _mamba}
CAUSAL = tuple(_CAUSAL)


@cache
def causal_model(kind, dtype=torch.float32):
    return _CAUSAL[kind](max(len(byte_tokenizer()), len(roberta_tokenizer()))).to(dtype)


# --- slow twins -------------------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """What is explained: the text between two fixed ones, its players' spans, and what stands for absent players."""

    tokenizer: object
    text: str
    spans: list | None = None  # None: every visible token
    before: str = ""
    after: str = ""
    second: str | None = None
    specials: bool = True
    ablation: str = "delete"
    replacement: str | None = None


def words_of(text):
    spans, start = [], None
    for place, character in enumerate(text + " "):
        if character.isspace() and start is not None:
            spans.append((start, place))
            start = None
        elif not character.isspace() and start is None:
            start = place
    return spans


def extents(tokenizer, whole, second=None, specials=True):
    """First character of each token of the first text and the one after its last; ``None`` for all other tokens."""
    encoded = tokenizer(whole, second, add_special_tokens=specials, return_offsets_mapping=True)
    if not isinstance(tokenizer.backend_tokenizer.model, models.BPE):
        pairs = zip(encoded["offset_mapping"], encoded.sequence_ids(), strict=True)
        return [place if sequence == 0 else None for place, sequence in pairs]
    character_of = [place for place, character in enumerate(whole) for _ in character.encode()]
    found, n_bytes = [], 0
    for token, sequence in zip(encoded["input_ids"], encoded.sequence_ids(), strict=True):
        if sequence != 0:
            found.append(None)
            continue
        piece = tokenizer.convert_ids_to_tokens(token)  # a character for each byte
        size = len(piece)
        found.append((character_of[n_bytes], character_of[n_bytes + size - 1] + 1))
        n_bytes += size
    assert n_bytes == len(character_of)
    return found


def slow_players(asked):
    """The player of each token, and the players' spans: players without a token are left out."""
    whole = asked.before + asked.text + asked.after
    low, high = len(asked.before), len(asked.before) + len(asked.text)
    spans = [] if asked.spans is None else [(start + low, end + low) for start, end in asked.spans]
    owners = []
    for extent in extents(asked.tokenizer, whole, asked.second, asked.specials):
        visible = None if extent is None else [i for i in range(*extent) if not whole[i].isspace()]
        if not visible:
            inside = extent is not None and low <= extent[0] < high
            owners.append("blank" if inside else FIXED)
        elif not low <= visible[0] < high:
            owners.append(FIXED)
        elif asked.spans is None:
            spans.append((visible[0], min(extent[1], high)))
            owners.append(len(spans) - 1)
        else:
            owners.append(next((i for i, (a, b) in enumerate(spans) if a <= visible[0] < b), FIXED))
    owners = _blanks_given_away(owners)
    used = sorted({owner for owner in owners if owner != FIXED})
    number = {FIXED: FIXED, **{player: i for i, player in enumerate(used)}}
    return [number[owner] for owner in owners], [(spans[i][0] - low, spans[i][1] - low) for i in used]


def _blanks_given_away(owners):
    given = list(owners)
    for place, owner in enumerate(owners):
        if owner == "blank":
            after = next((one for one in owners[place:] if one != "blank"), FIXED)
            before = next((one for one in given[:place][::-1] if one != "blank"), FIXED)
            given[place] = before if after == FIXED else after
    return given


def slow_row(asked, mask):
    """The tokens that the model reads under one mask, and at which of them it may look."""
    ids, types, players = own_tokens(asked)
    row, seen, row_types, begun = [], [], [], set()
    for token, kind, player in zip(ids, types, players, strict=True):
        absent = player != FIXED and not mask[player]
        stands = [token]
        if absent and asked.ablation == "delete":
            stands = []
        elif absent and asked.ablation == "string":
            first = player not in begun
            stands = asked.tokenizer(asked.replacement, add_special_tokens=False)["input_ids"] if first else []
        elif absent and asked.ablation != "hide":
            stands = [getattr(asked.tokenizer, f"{asked.ablation}_token_id")]
        begun.add(player)
        row += stands
        row_types += [kind] * len(stands)
        seen += [int(not (absent and asked.ablation == "hide"))] * len(stands)
    return row, seen, row_types


def own_tokens(asked):
    whole = asked.before + asked.text + asked.after
    encoded = asked.tokenizer(whole, asked.second, add_special_tokens=asked.specials)
    ids = encoded["input_ids"]
    return ids, encoded.get("token_type_ids", [0] * len(ids)), slow_players(asked)[0]


def _n_added_at_the_end(asked):
    whole = asked.before + asked.text + asked.after
    added = [own is None for own in asked.tokenizer(whole, add_special_tokens=asked.specials).sequence_ids()]
    return added[::-1].index(False)


def forward_alone(model, row, seen, types=None):
    """The model's output for one row without any filling."""
    tensors = {"input_ids": torch.tensor([row]), "attention_mask": torch.tensor([seen])}
    accepted = signature(model.forward).parameters
    if types is not None and "token_type_ids" in accepted:
        tensors["token_type_ids"] = torch.tensor([types])
    if not all(seen) and "position_ids" in accepted and callable(getattr(model, "generate", None)):
        tensors["position_ids"] = torch.arange(len(row))[None]
    with torch.inference_mode():
        return model(**tensors)


def slow_logits(model, asked, mask):
    pair = asked.tokenizer is word_tokenizer()
    row, seen, types = slow_row(asked, mask)
    return forward_alone(model, row, seen, types if pair else None).logits[0].double()


def slow_answer(model, asked, mask, answer):
    """The log-probability of each token of the answer, position by position."""
    row, seen, _ = slow_row(asked, mask)
    n_own = len(row) - _n_added_at_the_end(asked)  # an answer follows its prompt, not the end of a text
    row, seen = row[:n_own], seen[:n_own]
    logits = forward_alone(model, row + answer, seen + [1] * len(answer)).logits[0].double()
    return [float(logits[len(row) + i - 1].log_softmax(dim=0)[token]) for i, token in enumerate(answer)]


def slow_embedding(model, row, seen, types, pooling):
    states = forward_alone(model, row, seen, types).last_hidden_state[0].double()
    visible = [state for state, looks in zip(states, seen, strict=True) if looks]
    return {"mean": sum(visible) / len(visible), "first": visible[0], "last": visible[-1]}[pooling]
