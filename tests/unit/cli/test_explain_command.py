"""Bad usage, failures, interruptions, and how a run resumes."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from command_lines import EIGHT, FIVE, PAGE, FragileForSequenceClassification, Run, asked, names_in

pytestmark = pytest.mark.usefixtures("work", "interruptible")

TEN = "the capital of France is good and the plot fails"

# --- bad usage --------------------------------------------------------------------------------------------------------


def refused(done, words):
    """Exit code 2 and one line on standard error, which says these words."""
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(r"Error: [^\n]+\n", done.err), done.err
    assert re.search(words, done.err), done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "`TEXT`: expected one of TEXT and --file, got neither a text nor a file"),
        ([""], "`TEXT`: expected a text with at least two players, got an empty text"),
        ([" \n "], "`TEXT`: expected a text with at least two players, got an empty text"),
        (
            ["Hello"],
            r"`TEXT`: expected at least two players, .*, got one word \('Hello'\).* --unit token may divide it",
        ),
        (
            ["One sentence.", "--unit", "sentence"],
            "`TEXT`: expected at least two players, .*, got one sentence .* --unit word may divide",
        ),
        (
            [FIVE * 30],
            r"`TEXT`: expected at most \d+ tokens.*, got \d+ tokens, 2 of them around the text. The first \d+ of",
        ),
        (["\udcff is good"], "`TEXT`: expected text in UTF-8, got byte 0xff at 0"),
        ([FIVE, "--file", "a"], "`--file`: expected one of TEXT and --file, got a text and a file"),
        (["--file", "missing.txt"], "`--file`: expected a readable file, got missing.txt .No such file"),
        (["--file", "."], "`--file`: expected a readable file, got . .Is a directory"),
        (
            [FIVE, "--target", "excellent"],
            "`--target`: expected 'bad', 'fair', 'Good', or a number from 0 to 2, got 'excellent'",
        ),
        ([FIVE, "--target", "3"], "`--target`: expected .* a number from 0 to 2, got 3"),
        ([FIVE, "--target", ""], "`--target`: expected 'bad', .*, got ''"),
        ([FIVE, "--output", "mean"], "`--output`: expected 'logit', 'margin', 'log_prob', got 'mean'"),
        ([FIVE, "--task", "summary"], "`--task`: expected classification, answer, similarity, got 'summary'"),
        (
            [FIVE, "--task", "answer"],
            "`--task`: expected a task that .*, got 'answer' for a model without weights for it .cls.* and . more",
        ),
        ([FIVE, "--task", "similarity"], "`--target`: expected the query to compare the text with, got nothing"),
        ([FIVE, "--unit", "letter"], r"`--unit`: expected word, token, sentence, got 'letter'\."),
        ([FIVE, "--ablation", "drop"], "`--ablation`: expected 'mask', .*, got 'drop'"),
        (
            [FIVE, "--ablation", "string"],
            "`--replacement`: expected a text if --ablation string, else nothing, got nothing",
        ),
        (
            [FIVE, "--ablation", "mask", "--replacement", "x"],
            "`--replacement`: expected a text if --ablation string, else nothing, got 'x' with ablation 'mask'",
        ),
        ([FIVE, "--chat"], "`--chat`: expected nothing, unless --task answer, got True for the task classification"),
        (
            [FIVE, "--system", "x"],
            "`--system`: expected nothing, unless --task answer, got 'x' for the task classification",
        ),
        ([FIVE, "--index", "Shapley"], "`--index`: expected 'SV', 'BV', 'SII', .*, got 'Shapley'"),
        ([FIVE, "--order", "6"], "`--order`: expected an integer from 1 to the number of players, 5, got 6"),
        ([FIVE, "--order", "0"], "'--order': .*1.* All options: captum-spex explain --help"),
        ([FIVE, "--order", "two"], "'--order': .*integer"),
        ([FIVE, "--budget", "1"], "`--budget`: expected an integer of at least 2, got 1"),
        ([FIVE, "--budget", "-3"], "`--budget`: expected an integer of at least 2, got -3"),
        ([FIVE, "--budget", "much"], "`--budget`: expected a number of evaluations, or auto, got 'much'"),
        ([FIVE, "--max-budget", "100"], "`--max-budget`: expected nothing, unless --budget auto, got 100"),
        ([FIVE, "--faithfulness", "0.9"], "`--faithfulness`: expected nothing, unless --budget auto, got 0.9"),
        ([FIVE, "--budget", "auto", "--faithfulness", "1.5"], "`--faithfulness`: expected .* between 0 and 1, got 1.5"),
        ([EIGHT, "--budget", "auto", "--max-budget", "20"], "`--max-budget`: expected at least .*, got 20"),
        ([FIVE, "--effort", "slow"], r"`--effort`: expected fast, default, thorough, got 'slow'\."),
        ([FIVE, "--seed", "-1"], "'--seed'"),
        ([FIVE, "--top", "0"], "'--top'"),
        ([FIVE, "--max-terms", "0"], "'--max-terms'"),
        ([FIVE, "--device", "gpu"], "`--device`: expected a device of this machine, such as cpu, got 'gpu'"),
        ([FIVE, "--device", "meta"], "`--device`: expected a device of this machine, such as cpu, got 'meta'"),
        ([FIVE, "--device", "cuda:99"], "`--device`: expected a device of this machine, such as cpu, got 'cuda:99'"),
        ([FIVE, "--dtype", "int8"], r"`--dtype`: expected float32, float16, bfloat16, got 'int8'\."),
        ([FIVE, "--tokens-per-batch", "0"], "`--tokens-per-batch`: expected an integer of at least 1, got 0"),
        ([FIVE, "--json", "missing/a.json"], "`--json`: expected .*, got missing/a.json .No such file or directory"),
        ([FIVE, "--json", "."], "`--json`: expected .*, got . .Is a directory"),
        ([FIVE, "--store", "missing/a.db"], "`--store`: expected .*, got missing/a.db .No such file or directory"),
        ([FIVE, "--store", "."], "`--store`: expected .*, got . .Is a directory"),
        ([FIVE, "--html", "missing/a.html"], "`--html`: expected .*, got missing/a.html .No such file or directory"),
        ([FIVE, "--html", "."], "`--html`: expected .*, got . .Is a directory"),
        ([FIVE, "--json", "a", "--html", "./a"], "`--html`: expected another path, got ./a, which is also --json"),
        ([FIVE, "--store", "a", "--json", "./a"], "`--json`: expected another path, got ./a, which is also --store"),
        ([FIVE, "--models", "x"], "No such option: --models"),
        ([FIVE, FIVE], "unexpected extra argument"),
        ([FIVE, "--model"], "--model"),
    ],
)
def test_bad_usage_is_refused_before_anything_is_evaluated(run, fragile, work, arguments, words):
    options = fragile("raises", 0)  # which only a model that is called does
    if {"answer", "similarity", "--model"} & set(arguments):  # by which that model cannot be loaded
        options = []
    elif "--target" in arguments:
        options = options[:2]
    refused(run(*options, *arguments), words)
    assert names_in(work) == []


@pytest.mark.sampled
@pytest.mark.parametrize("options", [["--store", "a.db"], ["--store", "a.db", "--json", "a.json"]])
@pytest.mark.parametrize(
    "wrong",
    [["--order", "20"], ["--index", "x"], ["--budget", "1"], ["--budget", "auto", "--max-budget", "20"]],
)
def test_bad_usage_leaves_no_store_behind(run, models, work, options, wrong):
    refused(run(EIGHT, "--model", models["classifier"], *options, *wrong), f"`{wrong[-2]}`")
    assert names_in(work) == []


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            "missing/folder/x",
            "`--model`: expected the name of a model .*, got 'missing/folder/x', which does not exist",
        ),
        ("./missing", "`--model`: expected the name of a model .*, got './missing', which does not exist"),
        ("/missing", "`--model`: expected the name of a model .*, got '/missing', which does not exist"),
        (
            ".",
            "`--model`: expected the name of a model .*, or the path of a folder with one, got '.'",
        ),
    ],
)
def test_a_missing_model_is_refused(run, work, model, words):
    refused(run(FIVE, "--model", model), words)
    assert names_in(work) == []


@pytest.mark.parametrize("damage", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_damaged_model_is_refused(run, models, tmp_path, damage):
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in Path(models["classifier"]).iterdir():
        content = path.read_bytes()
        (folder / path.name).write_bytes(content[: len(content) // 2] if path.name == damage else content)
    refused(run(FIVE, "--model", folder), "`--model`: expected the name of a model.*, got '.*damaged'")


def test_a_file_that_is_not_utf8_is_refused(run):
    Path("a.txt").write_bytes("a na\xefve film".encode("latin-1"))
    refused(run("--file", "a.txt"), "`--file`: expected text in UTF-8, got byte 0xef at 4 of a.txt.*iconv")


def test_an_empty_file_is_refused(run):
    Path("a.txt").write_text("\n", encoding="utf-8")
    refused(run("--file", "a.txt"), "`--file`: expected a text with at least two players, got an empty text")


def test_a_text_is_not_overwritten_by_its_explanation(run):
    Path("a.txt").write_text(FIVE, encoding="utf-8")
    refused(
        run("--file", "a.txt", "--json", "../work/a.txt"),
        "`--json`: expected another path, got ../work/a.txt, which is also --file",
    )
    assert Path("a.txt").read_text(encoding="utf-8") == FIVE


def test_a_query_is_needed_for_a_similarity(run, models):
    refused(
        run(FIVE, "--model", models["encoder"]), "`--target`: expected the query to compare the text with, got nothing"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", ""], "`--target`: expected a text of at least one token, .*, got ''"),
        (
            ["--target", "x", "--ablation", "mask"],
            "`--ablation`: expected 'string', 'delete', 'hide', got 'mask' for a tokenizer without it",
        ),
        (["--target", "x", "--ablation", "hide"], "`--ablation`: expected another ablation, or a --suffix, got 'hide'"),
        (
            ["--target", "x", "--chat"],
            "`--chat`: expected False for a tokenizer without .*, got True. Use --prefix and --suffix",
        ),
        (["--target", "x", "--output", "tokens"], "`--output`: expected 'mean', 'sum', got 'tokens'"),
        (
            ["--target", "x" * 90],
            r"`TEXT`: expected at most 64 tokens with the answer, .*, got \d+ before an answer of \d+",
        ),
        (
            ["--task", "classification"],
            "`--task`: expected a task that the model was trained for, got 'classification' for a model without",
        ),
    ],
)
def test_what_a_language_model_cannot_be_asked_is_refused(run, models, work, options, words):
    refused(run(FIVE, "--model", models["language"], *options), words)
    assert names_in(work) == []


def test_a_store_of_another_game_is_refused_and_stays_as_it_is(run, models):
    assert run(FIVE, "--model", models["classifier"], "--store", "a.db").code == 0
    before = Path("a.db").read_bytes()
    done = run(f"{FIVE} x", "--model", models["classifier"], "--store", "a.db", "--json", "a.json")
    refused(
        done, "`--store`: expected a store of game [0-9a-f].*, got a.db, which holds evaluations of game [0-9a-f]{32}"
    )
    assert re.search("They differ in text: 'the film is never good' in the store, 'the film is never good x'", done.err)
    assert Path("a.db").read_bytes() == before
    assert not Path("a.json").exists()


def test_another_file_is_refused_as_a_store(run, models):
    Path("a.db").write_bytes(b"a letter to my mother " * 50)
    refused(
        run(FIVE, "--model", models["classifier"], "--store", "a.db"),
        "`--store`: expected .*, got a.db, a file of another kind",
    )
    assert Path("a.db").read_bytes() == b"a letter to my mother " * 50


# --- failures, interruptions, resuming --------------------------------------------------------------------------------


def advised(done):
    """The command that the last line advises."""
    line = done.err.splitlines()[-1]
    assert line.startswith("  captum-spex explain "), done.err
    return shlex.split(line)[1:]


def stored_masks(path):
    """The masks in a store of at most 8 players: a byte for each."""
    return list(b"".join(masks for (masks,) in asked(path, "SELECT mask FROM evaluations")))


def test_a_model_that_raises_ends_with_1_and_a_command_to_resume(run, fragile, work):
    options = [*fragile("raises", 12), "--tokens-per-batch", "20"]
    done = run(FIVE, *options)
    assert (done.code, done.out) == (1, "")
    assert "\nThe model failed: RuntimeError: the fan stopped\nEvaluations are saved in captum-spex-" in done.err
    assert names_in(work) == [advised(done)[2]]


def test_a_model_that_raises_at_once_leaves_nothing(run, fragile, work):
    done = run(FIVE, *fragile("raises", 0))
    assert (done.code, names_in(work)) == (1, [])
    assert done.err.splitlines()[-1] == "The model failed: RuntimeError: the fan stopped"


def test_a_model_that_answers_nan_ends_with_1_in_one_line(run, fragile, work):
    done = run(FIVE, *fragile("nan", 0), "--json", "a.json")
    assert (done.code, done.out, names_in(work)) == (1, "", [])
    assert re.fullmatch(r"The model failed: expected finite values, got nan for the mask with [^\n]+\n", done.err)


def test_what_the_page_shows_of_ctrl_c_is_what_is_printed(run, fragile, work):
    done = run(FIVE, *fragile("interrupted", 12), "--tokens-per-batch", "20")
    shown = re.search(r"```text\n\^C\n(.*?)```", PAGE, re.DOTALL)[1]
    texts = [re.sub(r"captum-spex-\w+\.db", "FILE", text) for text in (shown, done.err)]
    start = "  captum-spex explain --store FILE "
    assert len({re.sub(r"\([\d,]+ ", "(N ", text.partition(start)[0]) for text in texts}) == 1
    assert all(start in text for text in texts)


def test_ctrl_c_before_any_evaluation_leaves_nothing(run, fragile, work):
    done = run(FIVE, *fragile("interrupted", 0), "--json", "a.json")
    assert (done.code, done.out, done.err, names_in(work)) == (130, "", "Interrupted.\n", [])


@pytest.mark.sampled
@pytest.mark.parametrize("accident", ["interrupted", "raises"])
@pytest.mark.parametrize("store", [[], ["--store", "a b.db"]])
def test_a_stopped_run_resumes_by_the_command_that_it_prints(run, fragile, accident, store):
    options = ["--tokens-per-batch", "30", "--budget", "70", "--json", "a.json", *store, "--", f"--{EIGHT[2:]}"]
    assert run(*fragile(None, 0), *[one for one in options if one not in store]).code == 0
    undisturbed, n_rows = Path("a.json").read_bytes(), FragileForSequenceClassification.n_rows
    Path("a.json").unlink()

    stopped = run(*fragile(accident, 45), *options)
    assert stopped.code == {"interrupted": 130, "raises": 1}[accident]
    assert not Path("a.json").exists()
    kept = "a b.db" if store else advised(stopped)[2]
    n_kept = len(stored_masks(kept))
    assert 0 < n_kept <= 45
    assert f"saved in {kept} ({n_kept} of this run)" in stopped.err

    fragile(None, 0)
    resumed = run(*advised(stopped)[1:])
    assert resumed.code == 0
    assert f"{n_kept} of the 70 evaluations came from the store." in resumed.out
    assert FragileForSequenceClassification.n_rows == n_rows - n_kept == 72 - n_kept  # two are also evaluated alone
    assert len(set(stored_masks(kept))) == len(stored_masks(kept)) == 70
    assert Path("a.json").read_bytes() == undisturbed


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder where nobody can write")
def test_evaluations_stay_in_the_temporary_folder_if_the_working_directory_cannot_be_written(run, fragile, monkeypatch):
    monkeypatch.chdir("/proc")  # even root cannot write there
    options = fragile("raises", 12)
    done = run(FIVE, *options, "--tokens-per-batch", "20")
    kept = Path(advised(done)[2])
    assert done.code == 1
    assert len(stored_masks(kept)) > 0
    kept.unlink()
    kept.parent.rmdir()


def test_a_store_that_is_complete_needs_no_evaluation(run, fragile):
    options = [*fragile(None, 0), "--store", "a.db", "--json", "a.json"]
    run(FIVE, *options)
    first = Path("a.json").read_bytes()
    fragile("raises", 0)
    again = run(FIVE, *options)
    assert again.code == 0
    assert "32 of the 32 evaluations came from the store." in again.out
    assert Path("a.json").read_bytes() == first


def test_a_text_from_standard_input_must_be_given_again(run, fragile, monkeypatch):
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(FIVE.encode())))
    done = run("--file", "-", *fragile("interrupted", 12), "--tokens-per-batch", "20")
    assert "(with the same text on standard input)" in done.err


def test_ctrl_c_in_a_terminal_keeps_what_was_evaluated(run, models, work):
    options = [TEN, "--model", models["classifier"], "--target", "bad", "--budget", "1024", "--tokens-per-batch", "1"]
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from captum_spex.cli import main; raise SystemExit(main())"
    )
    command = [sys.executable, "-c", code, "explain", *options, "--json", "a.json", "--progress"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=work) as process:
        shown = b""
        while not re.search(rb" [1-9]\d*/1024", shown) and (octet := process.stderr.read(1)):
            shown += octet
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    stopped = Run(process.returncode, out.decode(), err.decode())
    assert (stopped.code, stopped.out) == (130, "")
    assert "\nInterrupted.\n" in stopped.err
    assert "Traceback" not in stopped.err
    kept = advised(stopped)[2]
    assert names_in(work) == [kept]
    ((n_kept,),) = asked(kept, "SELECT count(*) FROM evaluations")
    assert 0 < n_kept < 1024

    resumed = run(*advised(stopped)[1:])
    assert f"{n_kept:,} of the 1,024 evaluations came from the store." in resumed.out
    assert asked(kept, "SELECT count(*), count(DISTINCT mask) FROM evaluations") == [(1024, 1024)]
    assert run(*options, "--json", "b.json").code == 0
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()


def test_a_closed_pipe_is_not_a_failure(work):
    command = [sys.executable, "-m", "captum_spex.cli", "explain", FIVE, "--json", "-"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=work, timeout=600, check=False)
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr.decode() == ""
