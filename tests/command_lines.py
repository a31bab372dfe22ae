"""Models on disk, and runs of the command line."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from jsonschema import Draft202012Validator
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
)

DOCS = Path(__file__).parents[1] / "docs"
SCHEMA = json.loads((DOCS / "explanation.schema.json").read_text(encoding="utf-8"))
PAGE = (DOCS / "command-line.md").read_text(encoding="utf-8")
TEXT = "Her acting never fails to impress"
FIVE = "the film is never good"
EIGHT = "the film is good and the plot worse"


class FragileConfig(BertConfig):
    model_type = "fragile"


class FragileForSequenceClassification(BertForSequenceClassification):
    """A classifier with which something happens after some rows; it counts what it reads."""

    config_class = FragileConfig
    accident = None
    after = 0
    n_rows = 0

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        cls = type(self)
        cls.n_rows += len(input_ids)
        happens = cls.accident is not None and cls.n_rows > cls.after
        if happens and cls.accident == "raises":
            raise RuntimeError("the fan stopped")
        if happens and cls.accident == "interrupted":
            signal.raise_signal(signal.SIGINT)
        found = super().forward(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        if happens and cls.accident == "nan":
            found.logits = found.logits * float("nan")
        return found


AutoConfig.register("fragile", FragileConfig, exist_ok=True)
AutoModelForSequenceClassification.register(FragileConfig, FragileForSequenceClassification, exist_ok=True)


@dataclass
class Run:
    code: int
    out: str
    err: str


def valid(content):
    Draft202012Validator(SCHEMA).validate(content)
    return content


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def asked(path, query):
    """What a database answers."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()
