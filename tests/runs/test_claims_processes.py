"""Claims between processes: a run is one process's at a time, and free as soon as that one ends."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from helpers.child import Child, child, heard, kill, tell
from helpers.claimed import many, names, taken

from attnsearch.runs.claims import Claim
from attnsearch.spec.run import RunSpec

CHILD = """
import os, pickle, subprocess, sys, time
from pathlib import Path
from attnsearch.runs.claims import Claim

root, specs = Path(sys.argv[1]), pickle.load(sys.stdin.buffer)
say = lambda *words: print(*words, flush=True)
say("ready")
"""

ON_DEMAND = """
held = {}
for line in sys.stdin:
    verb, number = line.split()
    if verb == "take":
        claim = Claim.take(root, specs[int(number)].digest)
        if claim is not None:
            held[number] = claim
        say("no" if claim is None else "yes")
    else:
        held.pop(number).release()
        say("released")
"""

# While it has the claim, a process makes a file that must not be there, and removes it again.
HAMMER = """
guard, won, lost = Path(sys.argv[1], "guard"), 0, 0
sys.stdin.readline()
end = time.monotonic() + 1
while time.monotonic() < end:
    claim = Claim.take(root, specs[0].digest)
    if claim is None:
        lost += 1
        continue
    os.close(os.open(guard, os.O_CREAT | os.O_EXCL))
    assert claim.path.exists()
    guard.unlink()
    claim.release()
    won += 1
say(won, lost)
"""

FORK = """
claim = Claim.take(root, specs[0].digest)
if os.fork() == 0:
    claim.release()
    assert claim.path.exists()
    say("started")
    sys.stdin.read()
    os._exit(0)
time.sleep(20)
"""

EXEC = """
claim = Claim.take(root, specs[0].digest)
grandchild = [sys.executable, "-c", "import sys; print('started', flush=True); sys.stdin.read()"]
subprocess.Popen(grandchild, close_fds=False)
time.sleep(20)
"""


@contextmanager
def claimant(script: str, root: Path, specs: Sequence[RunSpec]) -> Iterator[Child]:
    """Python running `script` after `CHILD`, ready to begin; killed on leaving."""
    # Without threads of numpy's, so that it may fork.
    with child(CHILD + script, list(specs), str(root), OPENBLAS_NUM_THREADS="1") as process:
        assert heard(process) == "ready"
        yield process


def test_two_processes_share_the_claims_and_one_inherits_what_the_other_had(
    root: Path, spec: RunSpec
) -> None:
    specs = many(spec, 200)
    with claimant(ON_DEMAND, root, specs) as one, claimant(ON_DEMAND, root, specs) as other:
        both, won = (one, other), {one: set[int](), other: set[int]()}
        for number in range(200):
            # Both are on their way before either has answered; who is told first alternates.
            for process in both[:: 1 - 2 * (number % 2)]:
                tell(process, b"take %d\n" % number)
            answers = [heard(process) for process in both]
            assert sorted(answers) == ["no", "yes"], number
            won[both[answers.index("yes")]].add(number)
        assert len(names(root)) == 200

        victim, heir = sorted(both, key=lambda process: len(won[process]), reverse=True)
        assert len(won[victim]) >= 100
        for number in range(200):
            tell(heir, b"take %d\n" % number)
            assert heard(heir) == "no", number
        kill(victim)
        for number in range(200):
            tell(heir, b"take %d\n" % number)
            assert heard(heir) == ("yes" if number in won[victim] else "no"), number

        for number in range(200):
            tell(heir, b"release %d\n" % number)
            assert heard(heir) == "released"
        assert names(root) == []


def test_a_claim_is_one_process_s_at_a_time_while_others_take_and_release_it(
    root: Path, spec: RunSpec
) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(claimant(HAMMER, root, [spec])) for _ in range(3)]
        for process in processes:
            tell(process, b"go\n")
        counts = [[int(word) for word in heard(process).split()] for process in processes]
        assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    # Every process had its turns, and they met.
    assert min(won for won, _ in counts) > 10
    assert sum(lost for _, lost in counts) > 10
    assert names(root) == []
    assert not (root / "guard").exists()


@pytest.mark.parametrize("script", [FORK, EXEC], ids=["forked", "started"])
def test_a_claim_does_not_live_on_in_the_children_of_its_holder(
    root: Path, spec: RunSpec, script: str
) -> None:
    with claimant(script, root, [spec]) as process:
        assert heard(process) == "started"
        assert Claim.take(root, spec.digest) is None
        kill(process)
        assert names(root) == [f".claim-{spec.digest}"]
        taken(root, spec).release()
        assert names(root) == []
        # Alive until now: its end of the pipe was open.
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        assert process.stdout.read() is None
