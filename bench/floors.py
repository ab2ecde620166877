"""The floors: plain loops that do the least a store of files can do. Run as a script: prints the seconds it took.

Usage: floors.py cold|warm COUNT DIRECTORY
"""

from __future__ import annotations

import json
import os
import sys
import time

RECORD = {"hash": "0" * 64, "name": "link", "value": None, "files": 1, "size": 1, "made": "2024-01-01T00:00:00Z"}


def cold(count: int, directory: str) -> None:
    """For each stage: mkdir, write one small file and one small JSON, rename."""
    for index in range(count):
        temporary = f"{directory}/tmp-{index}"
        os.mkdir(temporary)
        with open(f"{temporary}/note.txt", "w", encoding="utf-8") as file:
            file.write(str(index))
        with open(f"{temporary}/record.json", "w", encoding="utf-8") as file:
            json.dump(RECORD, file)
        os.rename(temporary, f"{directory}/{index}")


def warm(count: int, directory: str) -> None:
    """For each stage: open and read one small JSON."""
    for index in range(count):
        with open(f"{directory}/{index}/record.json", encoding="utf-8") as file:
            json.load(file)


if __name__ == "__main__":
    loop = {"cold": cold, "warm": warm}[sys.argv[1]]
    began = time.perf_counter()
    loop(int(sys.argv[2]), sys.argv[3])
    print(time.perf_counter() - began)
