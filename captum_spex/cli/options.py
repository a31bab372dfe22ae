"""The options of ``captum-spex explain``: types, names that they take, and what the help says of them."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

CHOICES = {
    "unit": ("word", "token", "sentence"),
    "task": ("classification", "answer", "similarity"),
    "dtype": ("float32", "float16", "bfloat16"),
}
"""Names that options take; here, so that a typo is answered before what knows them better is imported."""

_text = partial(typer.Option, rich_help_panel="The text")
_model = partial(typer.Option, rich_help_panel="The model, and what it is asked")
_removed = partial(typer.Option, rich_help_panel="What is removed")
_computed = partial(typer.Option, rich_help_panel="What is computed")
_kept = partial(typer.Option, rich_help_panel="What is kept and shown")
_machine = partial(typer.Option, rich_help_panel="The machine")

Text = Annotated[
    str | None, typer.Argument(metavar="TEXT", help="The text to explain, unless --file.", show_default=False)
]
File = Annotated[str | None, _text(metavar="FILE", help="Read the text from a UTF-8 file; - is standard input.")]
Prefix = Annotated[str, _text(metavar="TEXT", help="Text before, which is never removed.", show_default=False)]
Suffix = Annotated[str, _text(metavar="TEXT", help="Text after, which is never removed.", show_default=False)]
Chat = Annotated[bool, _text("--chat", help="Put the text into the model's chat template.")]
System = Annotated[str | None, _text(metavar="TEXT", help="System prompt of a chat model; implies --chat.")]
Model = Annotated[
    str | None,
    _model(metavar="ID|PATH", help="A transformers model. Default: the embedded review classifier."),
]
Task = Annotated[
    str | None,
    _model(
        metavar="TASK",
        help="classification, answer (a language model's) or similarity. Default: what the model is made for.",
    ),
]
Target = Annotated[
    str | None,
    _model(
        metavar="TEXT|N",
        help="Class, by label or number (default: the predicted one); or the answer (default: what the model "
        "generates); or the query that the text is compared with.",
    ),
]
Output = Annotated[
    str | None,
    _model(
        metavar="NAME",
        help="Of a class: logit, margin, log_prob. Of an answer: mean, sum. Of a similarity: cosine, dot.",
    ),
]
Unit = Annotated[str, _removed(metavar="UNIT", help="What a player is: word, token or sentence.")]
Ablation = Annotated[
    str | None,
    _removed(
        metavar="NAME",
        help="In place of absent players: mask, pad, unk, string, delete, hide. Default: mask if the model has "
        "such a token, else delete.",
    ),
]
Replacement = Annotated[str | None, _removed(metavar="TEXT", help="The text of --ablation string.")]
Index = Annotated[str, _computed(metavar="NAME", help="Interaction index: SII, STII, FSII, BII, Moebius, ...")]
Order = Annotated[int | None, _computed(metavar="N", min=1, help="Largest order of an interaction. Default: 2.")]
Budget = Annotated[
    str | None,
    _computed(metavar="N|auto", help="Model evaluations. Default: max(512, 4 n log2 n), at most 2^n."),
]
Faithfulness = Annotated[float | None, _computed(metavar="X", help="Where --budget auto stops. Default: 0.95.")]
MaxBudget = Annotated[int | None, _computed(metavar="N", help="Most evaluations of --budget auto. Default: 10,000.")]
Seed = Annotated[int, _computed(metavar="N", min=0, help="Seed of the masks.")]
Store = Annotated[Path | None, _kept(metavar="FILE", help="Keep evaluations here, and go on from what is there.")]
Json = Annotated[str | None, _kept(metavar="FILE|-", help="Write the explanation as JSON; - is standard output.")]
Html = Annotated[str | None, _kept(metavar="FILE", help="Write the explanation as a page to look at.")]
Top = Annotated[int, _kept(metavar="N", min=1, help="How many terms of each order to show.")]
MaxTerms = Annotated[int, _kept(metavar="N", min=1, help="How many interactions to write as JSON, and on the page.")]
Progress = Annotated[
    bool | None, _kept("--progress/--no-progress", help="Show a progress bar. Default: in a terminal.")
]
Device = Annotated[str | None, _machine(metavar="NAME", help="cpu, cuda, ... Default: cuda if there is one.")]
Dtype = Annotated[
    str | None,
    _machine(metavar="NAME", help="float32, float16, bfloat16. Default: float32 on a CPU, else the model's."),
]
TokensPerBatch = Annotated[
    int | None, _machine(metavar="N", help="Most tokens at once. Default: 2,048 on a CPU, else 65,536.")
]
CompileModel = Annotated[bool, _machine("--compile", help="Compile the model by torch.compile.")]
