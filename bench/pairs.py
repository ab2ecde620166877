"""What `bench.parallel` measures, in a process of its own: `work N`, `nothing N` or `floor N`; prints seconds."""

from __future__ import annotations

import multiprocessing
import sys
import time
from multiprocessing.synchronize import Barrier

from pylightnix import realize, stage

CYCLES = 14_000_000


def burn() -> int:
    """About a second of work, the same each time."""
    total = 0
    for number in range(CYCLES):
        total += number
    return total


@stage
def work(number: int) -> int:
    return burn() + number


@stage
def nothing(number: int) -> int:
    return number


def share(barrier: Barrier, count: int) -> None:
    """The part of one of two workers."""
    barrier.wait()
    for _ in range(count):
        burn()


def floor(count: int) -> float:
    """Seconds of the same work, shared by two processes that were there before."""
    barrier = multiprocessing.Barrier(3)
    workers = [multiprocessing.Process(target=share, args=(barrier, count // 2)) for _ in range(2)]
    for worker in workers:
        worker.start()
    barrier.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    return time.perf_counter() - began


def main(what: str, count: int) -> float:
    """Seconds that it took."""
    if what == "floor":
        return floor(count)
    described = [(work if what == "work" else nothing)(number) for number in range(count)]
    began = time.perf_counter()
    realize(described, jobs=2, quiet=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
