"""Models on disk, and runs of the command line in an empty folder."""

from __future__ import annotations

import json
import signal
import tempfile

import pytest
from command_lines import FragileConfig, FragileForSequenceClassification, Run, valid
from text_models import bert_classifier, bert_encoder, byte_tokenizer, causal_model, word_tokenizer

from captum_spex.cli import main


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders of a classifier, a language model (with and without a chat template), an encoder, and a fragile one."""
    classifier = bert_classifier()
    fragile = FragileForSequenceClassification(
        FragileConfig(**{**classifier.config.to_dict(), "model_type": "fragile"})
    )
    fragile.load_state_dict(classifier.state_dict())
    networks = {
        "classifier": (classifier, word_tokenizer()),
        "language": (causal_model("gpt2"), byte_tokenizer()),
        "chat": (causal_model("gpt2"), byte_tokenizer(chat=True)),
        "encoder": (bert_encoder(), word_tokenizer()),
        "fragile": (fragile, word_tokenizer()),
    }
    folders = {}
    for name, (network, tokenizer) in networks.items():
        folders[name] = str(tmp_path_factory.mktemp(name))
        network.save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


@pytest.fixture
def fragile(models, monkeypatch):
    """Say what happens with the fragile model after how many rows; return the options that choose it."""

    def happens(accident, after):
        for name, value in (("accident", accident), ("after", after), ("n_rows", 0)):
            monkeypatch.setattr(FragileForSequenceClassification, name, value)
        return "--model", models["fragile"], "--target", "Good"

    return happens


@pytest.fixture
def interruptible():
    """Whoever started the tests: shells let what they start in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working directory that is empty, and a folder for temporary files, where nothing of ours is left at the end."""
    folder, temporary = tmp_path / "work", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TERM"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    assert list(temporary.glob("captum-spex*")) == []  # PyTorch 2.6 leaves something of its own


@pytest.fixture
def run(capfd):
    """Run the command in this process and return exit code and what was printed, also below Python."""

    def runs(*arguments, command="explain"):
        capfd.readouterr()
        code = main([command, *map(str, arguments)])
        return Run(code, *capfd.readouterr())

    return runs


@pytest.fixture
def document(run):
    """Run the command with ``--json -`` and return the document."""

    def runs(*arguments):
        done = run(*arguments, "--json", "-")
        assert done.code == 0, done.err
        return valid(json.loads(done.out))

    return runs
