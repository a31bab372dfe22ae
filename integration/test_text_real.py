"""Games over texts with what is real and slow: a compiler, memory that ends, a fresh process on a fresh machine."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import sysconfig

import numpy as np
import pytest

from captum_spex import cli
from captum_spex.games.text import AnswerGame, ClassificationGame, embedded_model
from captum_spex.games.text.embedded import EMBEDDED_MODEL
from tools import key_value_model

SENTENCE = "Her acting never fails to impress"
LONG = "The plot was not good but her acting never fails to impress and I loved the music in it"
GENEROUS = 1200  # seconds, of which a few are needed: a machine may be busy
MOST_IMPORTS = 2.0  # as much of the processor as importing what the answer needs, from return to answer


def random_masks(n_players, n_masks):
    return np.random.default_rng(0).random((n_masks, n_players)) < np.linspace(0.05, 0.95, n_masks)[:, None]


# --- compiled ------------------------------------------------------------------------------------------------------

needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="torch.compile needs a C++ compiler"
)


def classification(**settings):
    model, tokenizer = embedded_model()
    del model.base_model.encoder.layer[1:]  # the compiler takes its time
    return ClassificationGame(model, tokenizer, LONG, target=1, ablation="delete", tokens_per_batch=256, **settings)


def answer(**settings):
    network, tokenizer = key_value_model.untrained_gpt2(32, 1, 2, n_tokens=64)
    text = "amber one and basil two with cedar three near dune four"
    around = {"prefix": "and with then also ", "suffix": " which basil"}
    return AnswerGame(network, tokenizer, text, answer="two", tokens_per_batch=128, **around, **settings)


@pytest.fixture(scope="module")
def compiled_before(tmp_path_factory):
    """What the compiler made for one test is there for the next: headers above all."""
    return tmp_path_factory.mktemp("compiled")


@needs_compiler
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("make", [classification, answer])
def test_a_compiled_model_gives_the_same_values(make, compiled_before, monkeypatch):
    from torch._inductor import config as inductor

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(compiled_before))
    eager, compiled = make(), make(compile=True)
    masks = random_masks(eager.n_players, 40)
    with inductor.patch(compile_threads=1):  # no processes that import PyTorch
        np.testing.assert_allclose(compiled(masks), eager(masks), rtol=0, atol=1e-4)
    assert compiled.plan_batches(masks)[0].size < 40  # in several batches of different sizes


# --- memory that ends ----------------------------------------------------------------------------------------------

OUT_OF_MEMORY = """
import json, resource, sys
import numpy as np, torch
from transformers import BertConfig, BertModel
from captum_spex.games.text import SimilarityGame, embedded_model

torch.set_num_threads(1)
torch.manual_seed(0)
tokenizer = embedded_model()[1]
config = BertConfig(vocab_size=len(tokenizer), hidden_size=256, num_hidden_layers=1, num_attention_heads=4,
                    intermediate_size=4096)
text = "the film was good and the plot was bad " * 5
game = SimilarityGame(BertModel(config).eval(), tokenizer, text, "a good film", tokens_per_batch=32_000)
masks = np.random.default_rng(0).random((600, game.n_players)) < 0.5
small = SimilarityGame(BertModel(config).eval(), tokenizer, text, "a good film", tokens_per_batch=1000)
small._model.load_state_dict(game._model.state_dict())
small._query = game._query
expected = small(masks)
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + 300 * 2**20, resource.RLIM_INFINITY))
calls = []
game._model.register_forward_pre_hook(lambda _, __, given: calls.append(len(given["input_ids"])), with_kwargs=True)
values = game(masks)
print(json.dumps({"difference": float(np.abs(values - expected).max()), "spread": float(values.std()),
                  "calls": calls, "tokens_per_batch": game.tokens_per_batch}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space as Linux does")
def test_a_batch_beyond_the_memory_is_halved_and_the_run_finishes():
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-c", OUT_OF_MEMORY]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=GENEROUS, check=False, env=environment)
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout.splitlines()[-1])
    print(f"\n{report}")
    assert report["difference"] < 1e-5
    assert report["spread"] > 1e-4
    assert report["tokens_per_batch"] <= 16_000  # from 32,000
    assert report["calls"][1] == report["calls"][0] // 2  # a batch that failed, and its first half


# --- a fresh process -----------------------------------------------------------------------------------------------


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Nothing is at home, and no way leads to any hub."""
    for name, value in {"HOME": tmp_path, "HF_HOME": tmp_path / "hub", "HF_HUB_OFFLINE": 1, "NO_COLOR": 1}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(tmp_path)


def in_a_process(*command):
    """Run a command to its end; also return the seconds that it took of a processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    finished = subprocess.run(command, capture_output=True, text=True, timeout=GENEROUS, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert finished.returncode == 0, finished.stderr
    return finished, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def command_line(*arguments):
    """Run the command in a process of its own."""
    program = shutil.which("captum-spex", path=sysconfig.get_path("scripts"))
    return in_a_process(*([program] if program else [sys.executable, "-m", "captum_spex.cli"]), *arguments)


@pytest.mark.usefixtures("offline")
def test_the_embedded_model_answers_at_once_and_offline(tmp_path):
    finished, spent = command_line("explain", SENTENCE)
    _, imports = in_a_process(sys.executable, "-c", "import lightgbm, torch, transformers.models.bert.modeling_bert")
    print(f"\nseconds of a processor: {spent:.1f}, of these {imports:.1f} for the imports of others")
    assert spent <= MOST_IMPORTS * imports
    lines = finished.stdout.strip().splitlines()
    assert lines[0] == SENTENCE
    assert "'positive'" in finished.stdout
    pairs = [line.strip() for line in lines if " x " in line]
    assert pairs[0].startswith("never x fails"), finished.stdout
    assert "+" in pairs[0]
    assert list(tmp_path.rglob("*.db")) == []


@pytest.mark.usefixtures("offline")
def test_json_on_standard_output_is_nothing_but_json():
    finished, _ = command_line("explain", SENTENCE, "--json", "-")
    explanation = json.loads(finished.stdout)
    assert explanation["text"] == SENTENCE
    pairs = [term["name"] for term in explanation["terms"] if len(term["players"]) == 2]
    assert pairs[0] == "never x fails"
    assert "never x fails" in finished.stderr  # what is for people


@pytest.mark.usefixtures("offline")
def test_another_process_takes_everything_from_the_store(tmp_path, capsys):
    arguments = ["explain", LONG, "--budget", "200", "--store", str(tmp_path / "evaluations.db")]
    assert cli.main(arguments) == 0
    first, (second, _) = capsys.readouterr().out, command_line(*arguments)
    assert "200 of the 200 evaluations came from the store." in second.stdout
    assert first.strip() in second.stdout
    assert (tmp_path / "evaluations.db").stat().st_size < 200_000


@pytest.mark.usefixtures("offline")
def test_a_model_that_was_moved_keeps_its_store(tmp_path, capsys):
    stored = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        shutil.copytree(EMBEDDED_MODEL, folder)
        store = tmp_path / "evaluations.db"
        assert cli.main(["explain", SENTENCE, "--model", str(folder), "--store", str(store)]) == 0
        stored.append("64 of the 64 evaluations came from the store" in capsys.readouterr().out)
    assert stored == [False, True]
