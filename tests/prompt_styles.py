"""Tokenizers of every style that puts special tokens around a text, or none, and the chat templates beside them."""

from __future__ import annotations

from dataclasses import dataclass

from text_models import SENTENCES, SYSTEM_SHAPE, word_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIALS = ["<s>", "</s>", "<unk>", "[gMASK]"]
TRIMMED = SYSTEM_SHAPE.replace("message['content']", "message['content'] | trim")
BEGUN = "{{ bos_token }}" + SYSTEM_SHAPE


@dataclass(frozen=True)
class Style:
    """What a tokenizer adds before and after a text, and how it splits it."""

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    splits: str = "bytes"
    template: str = SYSTEM_SHAPE

    def tokenizer(self):
        backend = Tokenizer(models.BPE(unk_token=None if "bytes" in self.splits else "<unk>"))
        alphabet = sorted({character for sentence in SENTENCES for character in sentence} | set("<|>\n:?"))
        if "bytes" in self.splits:
            alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
            backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=self.splits == "bytes after a space")
            backend.decoder = decoders.ByteLevel()
        else:
            scheme = "first" if self.splits == "metaspace first" else "always"
            backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
            backend.decoder = decoders.Metaspace(prepend_scheme=scheme)
        trainer = trainers.BpeTrainer(
            vocab_size=315, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
        )
        backend.train_from_iterator(SENTENCES, trainer)
        if self.first or self.last:
            shape = [*self.first, "$A", *self.last]
            used = [(token, SPECIALS.index(token)) for token in dict.fromkeys(self.first + self.last)]
            backend.post_processor = processors.TemplateProcessing(single=shape, special_tokens=used)
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=backend,
            bos_token="<s>",
            eos_token="</s>",
            unk_token="<unk>",
            model_input_names=["input_ids", "attention_mask"],
            clean_up_tokenization_spaces=False,
        )
        tokenizer.chat_template = self.template
        return tokenizer


def _word_pieces():
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=word_tokenizer().backend_tokenizer,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        model_input_names=["input_ids", "attention_mask"],
    )
    tokenizer.chat_template = SYSTEM_SHAPE
    return tokenizer


STYLES = {
    "nothing added": Style().tokenizer,
    "begins": Style(("<s>",)).tokenizer,
    "ends": Style((), ("</s>",)).tokenizer,
    "begins and ends": Style(("<s>",), ("</s>",)).tokenizer,
    "begins with two": Style(("[gMASK]", "<s>")).tokenizer,
    "space before, begins and ends": Style(("<s>",), ("</s>",), "bytes after a space").tokenizer,
    "metaspace, begins": Style(("<s>",), (), "metaspace").tokenizer,
    "metaspace, ends": Style((), ("</s>",), "metaspace").tokenizer,
    "metaspace at the first only": Style(("<s>",), (), "metaspace first").tokenizer,
    "template that begins": Style(("<s>",), (), "bytes", BEGUN).tokenizer,
    "template that begins, metaspace": Style(("<s>",), ("</s>",), "metaspace first", BEGUN).tokenizer,
    "word pieces": _word_pieces,
}
N_ADDED = {
    "nothing added": (0, 0),
    "begins": (1, 0),
    "ends": (0, 1),
    "begins and ends": (1, 1),
    "begins with two": (2, 0),
    "space before, begins and ends": (1, 1),
    "metaspace, begins": (1, 0),
    "metaspace, ends": (0, 1),
    "metaspace at the first only": (1, 0),
    "template that begins": (1, 0),
    "template that begins, metaspace": (1, 1),
    "word pieces": (1, 1),
}
FIRST = {
    **{name: "<s>" for name, (n_first, _) in N_ADDED.items() if n_first},
    **{"begins with two": "[gMASK]<s>", "word pieces": "[CLS]"},
}
"""What a user writes who puts the first tokens into the text."""
