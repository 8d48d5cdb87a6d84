"""G-25: the tests have teeth. Each mutant is put into a copy of the tree, and its tests must fail there."""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

from .mutants import MUTANTS, Mutant

ROOT = Path(__file__).parent.parent.parent
COPIED = ("src", "tests", "pyproject.toml", "docs", "README.md")
WORKERS = 2
LEAST_KILLED = 0.85
LONGEST_SECONDS = 600
QUICK = (
    "one use more than the limit",
    "a lost COMMIT is simply done again",
    "more comes back than is left",
)


@pytest.fixture
def trees(tmp_path: Path) -> SimpleQueue[Path]:
    """Copies of the tree to make mistakes in."""
    free: SimpleQueue[Path] = SimpleQueue()
    for number in range(WORKERS):
        tree = tmp_path / str(number)
        tree.mkdir()
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif (ROOT / name).exists():
                shutil.copy(ROOT / name, tree / name)
        free.put(tree)
    return free


def run_tests(tree: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run tests of a copy on its own source, but on the databases of the original."""
    environment = {name: value for name, value in os.environ.items() if name != "GUERDON_PROVE"} | {
        "PYTHONPATH": str(tree / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GUERDON_TEST_ROOT": str(ROOT),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-W",
        "ignore",
        "-p",
        "no:xdist",
        "-m",
        "not prove",
        *tests,
    ]
    return subprocess.run(
        command,
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )


def is_killed(trees: SimpleQueue[Path], mutant: Mutant) -> tuple[bool, float]:
    """Whether the mutant's tests notice it, and after how many seconds."""
    tree = trees.get()
    file = tree / "src" / "guerdon" / mutant.file
    original = file.read_text()
    started = time.monotonic()
    try:
        file.write_text(original.replace(mutant.old, mutant.new))
        answer = run_tests(tree, mutant.tests)
    except subprocess.TimeoutExpired:
        return True, time.monotonic() - started
    finally:
        file.write_text(original)
        trees.put(tree)
    assert answer.returncode in (0, 1, 2), (
        f"{mutant.name}: pytest itself failed\n{answer.stdout[-2000:]}{answer.stderr}"
    )
    return answer.returncode != 0, time.monotonic() - started


def test_there_are_many_and_each_is_one_edit() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 100
    sources = {mutant.file: (ROOT / "src" / "guerdon" / mutant.file).read_text() for mutant in MUTANTS}
    assert [mutant.name for mutant in MUTANTS if sources[mutant.file].count(mutant.old) != 1] == []
    assert [
        mutant.name for mutant in MUTANTS if not all((ROOT / test).exists() for test in mutant.tests)
    ] == []


def test_three_of_them_are_killed(trees: SimpleQueue[Path]) -> None:
    chosen = [mutant for mutant in MUTANTS if mutant.name in QUICK]
    assert len(chosen) == len(QUICK)
    assert [mutant.name for mutant in chosen if not is_killed(trees, mutant)[0]] == []


@pytest.mark.prove
def test_nearly_all_are_killed(trees: SimpleQueue[Path], capsys: pytest.CaptureFixture[str]) -> None:
    tests = tuple(sorted({test for mutant in MUTANTS for test in mutant.tests}))
    tree = trees.get()
    sound = run_tests(tree, tests)
    trees.put(tree)
    assert sound.returncode == 0, f"the tests fail without a mutant\n{sound.stdout[-4000:]}"
    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(lambda mutant: is_killed(trees, mutant), MUTANTS))
    survivors = [mutant.name for mutant, (killed, _) in zip(MUTANTS, results, strict=True) if not killed]
    with capsys.disabled():
        print()
        for mutant, (killed, seconds) in zip(MUTANTS, results, strict=True):
            print(f"| {mutant.name} | {'killed' if killed else 'SURVIVED'} | {seconds:.0f} s |")
        print(f"G-25: {len(MUTANTS) - len(survivors)} of {len(MUTANTS)} killed")
    assert len(survivors) <= len(MUTANTS) * (1 - LEAST_KILLED), survivors
