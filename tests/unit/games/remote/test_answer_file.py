"""Generated answers on disk."""

from __future__ import annotations

import threading

import pytest

from captum_spex.errors import StoreError
from captum_spex.games.remote.answer_file import Answer, AnswerFile, question_key

pytest.importorskip("openai")
LONG = Answer("caf\u00e9\u2028\u0085\nline \ud83d", is_cut=True)


def test_answers_are_found_again(tmp_path):
    answers = AnswerFile(tmp_path / "a.jsonl")
    for answer in (Answer("yes"), LONG):
        answers.add("q", answer)
    for known in (answers, AnswerFile(tmp_path / "a.jsonl")):
        assert [known.find("q", place) for place in range(3)] == [Answer("yes"), LONG, None]
        assert known.find("other", 0) is None


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    path = tmp_path / "a.jsonl"
    AnswerFile(path).add("q", Answer("yes"))
    whole = path.read_bytes()
    AnswerFile(path).add("r", Answer("no"))
    path.write_bytes(path.read_bytes()[:-4])
    answers = AnswerFile(path)
    assert (answers.find("q", 0), answers.find("r", 0)) == (Answer("yes"), None)
    answers.add("r", Answer("no"))
    assert AnswerFile(path).find("r", 0) == Answer("no")
    assert path.read_bytes().startswith(whole)


def test_threads_and_processes_append(tmp_path):
    files = [AnswerFile(tmp_path / "a.jsonl") for _ in range(2)]
    threads = [
        threading.Thread(target=lambda one=one: [one.add(f"q{i}", Answer("x" * 500)) for i in range(200)])
        for one in files
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = AnswerFile(tmp_path / "a.jsonl")
    assert all(again.find(f"q{i}", 1) == Answer("x" * 500) for i in range(200))


@pytest.mark.parametrize("content", [b"", b"key,value\n1,2\n", b"\xff\xfe", b"\n[]", b'\n{"captum_spex": "other"}'])
def test_another_file_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="`answers`: expected"):
        AnswerFile(path)
    assert path.read_bytes() == content


def test_a_place_without_a_file_is_refused(tmp_path):
    for path, message in ((tmp_path / "none" / "a", "can be written"), (tmp_path, "read and written"), (3, "an int")):
        with pytest.raises(StoreError, match=message):
            AnswerFile(path)


def test_questions_are_told_apart():
    bodies = [{"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": "1", "b": 2}]
    assert len({question_key(server, body) for server in ("s", "t") for body in bodies}) == 6
    assert question_key("s", {"b": 2, "a": 1}) == question_key("s", bodies[0])
