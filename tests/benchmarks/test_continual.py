"""The benchmark of continual learning: matrices of banks and of LoRA, average WER and backward transfer."""

from __future__ import annotations

from pathlib import Path

import pytest
from continual import Matrix, bank_matrix, draw, print_matrices
from PIL import Image

from tests.benchmarks.runs import finished

FORGETS = Matrix("lora", ("ky", "eo", "ia"), ((0.2,), (0.5, 0.3), (0.6, 0.5, 0.1)))


def test_average_and_backward_transfer_are_those_of_cl_masr() -> None:
    assert FORGETS.average(0) == pytest.approx(0.2)
    assert FORGETS.average(2) == pytest.approx(0.4)
    assert FORGETS.backward_transfer(1) == pytest.approx(-0.3)  # worse: below 0
    assert FORGETS.backward_transfer(2) == pytest.approx(-0.3)


def test_a_bank_whose_older_prompts_stay_forgets_nothing() -> None:
    first = finished("lapt_entire", "ky", [5, 5], digests={"qug": "q", "ky": "k"})
    second = finished("lapt_entire", "eo", [1, 2], digests={"ky": "k", "qug": "q", "eo": "e"})
    matrix = bank_matrix([second, first])
    assert matrix == Matrix("lapt_entire", ("ky", "eo"), ((0.5,), (0.5, 0.15)))
    assert matrix.backward_transfer(1) == 0


def test_an_older_prompt_that_changed_is_not_taken_for_the_same() -> None:
    first = finished("lapt_entire", "ky", [5], digests={"ky": "k"})
    for digests in ({"ky": "other", "eo": "e"}, {"qug": "q", "eo": "e"}):
        second = finished("lapt_entire", "eo", [1], digests=digests)
        with pytest.raises(SystemExit, match="the prompt of ky is another one after eo was added"):
            bank_matrix([first, second])


def test_the_table_and_the_heat_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_matrices([FORGETS])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "| ia | 60.0 | 50.0 | 10.0 | 40.0 | -30.0 |"
    draw([FORGETS, Matrix("lapt_entire", ("ky",), ((0.2,),))], tmp_path / "heat.png")
    assert Image.open(tmp_path / "heat.png").size[0] > 1000
