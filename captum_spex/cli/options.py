"""The options of ``captum-spex explain``: their types, choices and help."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

CHOICES = {
    "unit": ("word", "token", "sentence"),
    "task": ("classification", "answer", "similarity"),
    "dtype": ("float32", "float16", "bfloat16"),
    "effort": ("fast", "default", "thorough"),
}
"""Names that options take, repeated here so that a typo is reported before the slow imports."""

_text = partial(typer.Option, rich_help_panel="The text")
_model = partial(typer.Option, rich_help_panel="The model and its output")
_removed = partial(typer.Option, rich_help_panel="What is removed")
_computed = partial(typer.Option, rich_help_panel="What is computed")
_saved = partial(typer.Option, rich_help_panel="What is saved and shown")
_machine = partial(typer.Option, rich_help_panel="The machine")

Text = Annotated[
    str | None, typer.Argument(metavar="TEXT", help="The text to explain, unless --file.", show_default=False)
]
File = Annotated[str | None, _text(metavar="FILE", help="Read the text from a UTF-8 file; - is standard input.")]
Prefix = Annotated[str, _text(metavar="TEXT", help="Text before, never removed.", show_default=False)]
Suffix = Annotated[str, _text(metavar="TEXT", help="Text after, never removed.", show_default=False)]
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
        help="classification, answer (of a language model) or similarity. Default: that of the model.",
    ),
]
Target = Annotated[
    str | None,
    _model(
        metavar="TEXT|N",
        help="Class, by label or number (default: the predicted one); or the answer (default: what the model "
        "generates); or the query to compare the text with.",
    ),
]
Output = Annotated[
    str | None,
    _model(
        metavar="NAME",
        help="logit, margin, log_prob of a class; mean, sum of an answer; cosine, dot of a similarity.",
    ),
]
Unit = Annotated[str, _removed(metavar="UNIT", help="What a player is: word, token or sentence.")]
Ablation = Annotated[
    str | None,
    _removed(
        metavar="NAME",
        help="How players are removed: mask, pad, unk, string, delete, hide. Default: mask if the tokenizer has "
        "such a token, else delete.",
    ),
]
Replacement = Annotated[str | None, _removed(metavar="TEXT", help="The text of --ablation string.")]
Index = Annotated[
    str,
    _computed(metavar="NAME", help="Interaction index: k-SII, whose terms add up; SII, STII, FSII, BII, Moebius, ..."),
]
Order = Annotated[int | None, _computed(metavar="N", min=1, help="Largest order of interactions. Default: 2.")]
Budget = Annotated[
    str | None,
    _computed(metavar="N|auto", help="Model evaluations. Default: max(512, 4 n log2 n), at most 2^n."),
]
Faithfulness = Annotated[float | None, _computed(metavar="X", help="Where --budget auto stops. Default: 0.95.")]
MaxBudget = Annotated[int | None, _computed(metavar="N", help="Most evaluations of --budget auto. Default: 10,000.")]
Effort = Annotated[
    str, _computed(metavar="NAME", help="Time for the fit: fast, default, thorough; 0.4 and 2 times the default's.")
]
Seed = Annotated[int, _computed(metavar="N", min=0, help="Seed of the masks.")]
Store = Annotated[Path | None, _saved(metavar="FILE", help="Save evaluations here, and reuse those that it holds.")]
Json = Annotated[str | None, _saved(metavar="FILE|-", help="Write the explanation as JSON; - is standard output.")]
Html = Annotated[str | None, _saved(metavar="FILE", help="Write the explanation as an HTML page.")]
Top = Annotated[int, _saved(metavar="N", min=1, help="Number of terms of each order to show.")]
MaxTerms = Annotated[int, _saved(metavar="N", min=1, help="Number of interactions in the JSON file and on the page.")]
Progress = Annotated[
    bool | None, _saved("--progress/--no-progress", help="Show a progress bar. Default: in a terminal.")
]
Device = Annotated[str | None, _machine(metavar="NAME", help="cpu, cuda, ... Default: cuda if available.")]
Dtype = Annotated[
    str | None,
    _machine(metavar="NAME", help="float32, float16, bfloat16. Default: float32 on a CPU, else the model's."),
]
TokensPerBatch = Annotated[
    int | None, _machine(metavar="N", help="Most tokens at once. Default: 2,048 on a CPU, else 65,536.")
]
CompileModel = Annotated[bool, _machine("--compile", help="Compile the model with torch.compile.")]
