"""The same identity in every Python, with every hash seed, optimised or not, as a script or imported.

Other interpreters need nothing installed: the package's own `__init__` is left out, and where `blake3` is missing, the
slow one of the golden vectors stands in.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

SAMPLER = '''
import collections, contextlib, dataclasses, enum, functools, math, operator, os.path, pathlib, re, statistics, typing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, datetime
from pathlib import Path, PurePosixPath

SCALE, SHIFT = 2, -0.0
WORDS = {"b": ["x", b"y", 1j, ..., None], "a": {3, 1, 2}}
PATTERN = re.compile(r"a+b", re.I | re.M)
FOLDER = Path("data") / "x"
PERIOD = timedelta(days=3)
HUGE = 10 ** 300
ITEM = operator.itemgetter("a", 1)
Alias = dict[str, "Shape | None"]
Handler = Callable[[int], typing.Optional[str]]
Point = collections.namedtuple("Point", "x y", defaults=[3])
Made = dataclasses.make_dataclass("Made", [("a", int), ("b", int, 3)])

class Mode(enum.Enum):
    FAST = enum.auto()
    SLOW = "slow"
    def label(self): return self.name.lower()

class Level(enum.IntFlag):
    LOW = 1
    HIGH = 2

class Pair(typing.NamedTuple):
    left: int
    right: float = 0.5

@dataclasses.dataclass(frozen=True, order=True)
class Shape:
    """A docstring."""
    size: int
    kind: typing.ClassVar[str] = "plain"
    seed: dataclasses.InitVar[int] = 0
    names: list[str] = dataclasses.field(default_factory=list, compare=False)
    def area(self, by: float = 1.0) -> float: return self.size ** 2 * by

@dataclasses.dataclass(slots=True, kw_only=True)
class Slotted(object):
    a: int = 1
    b: str = "b"
    def twice(self): return (self.a, __class__)

class Square(Shape):
    limit = 10
    _registry: dict = {}
    def area(self, by=2.0): return super().area(by) + self.__hidden()
    def __hidden(self): return self.limit
    @property
    def side(self): return self.size
    @functools.cached_property
    def cost(self): return math.sqrt(self.size)
    @classmethod
    def of(cls, size): return cls(size)
    @staticmethod
    def unit(): return Square(1)

def traced(times=1):
    def decorate(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            for _ in range(times): result = function(*args, **kwargs)
            return result
        return inner
    return decorate

@traced(times=2)
def helper(x, /, y=1, *, z=(1, 2)): return [x * y + i for i in z if i]

@functools.lru_cache(maxsize=None)
def cached(n): return n if n < 2 else cached(n - 1) + cached(n - 2)

@contextlib.contextmanager
def opened(path):
    with open(path) as file: yield file

@functools.singledispatch
def shown(value): return repr(value)
@shown.register(int)
def _(value): return hex(value)

def even(n): return n == 0 or odd(n - 1)
def odd(n): return n != 0 and even(n - 1)

def syntax(data, *rest, depth: int = 3, **more):
    """Says nothing."""
    global SHIFT
    total: float = 0
    a, (b, *c) = data[1:2, ::3], [*rest, *more]
    text = f"{a!r:>{depth}} {b=} {{}} {'nested' + f'{c}'}" "and " f"more {total:.2f}" + rb"\\n".decode()
    while (n := len(text)) > 3 and not (a is None or b not in c):
        total += n if n % 2 else -n ** 2 // 3 @ 4 << 1 | 5 & 6 ^ ~7
        if total <= 1 < 2 != 3: break
        else: continue
    else:
        del a, b
    for i, j in enumerate(rest):
        try:
            assert i, f"{i}"
            raise ValueError(i) from None
        except (OSError, ValueError) as error: print(error)
        except TypeError: raise
        else: pass
        finally: total -= 1
    try: pass
    except* ValueError as group: print(group)
    with open(os.path.join("a", "b")) as one, opened(FOLDER) as two: print(one, two, file=None)
    match data:
        case 0 | -1 | 1.5 | 2 + 3j | "s" | b"b" | None | True: return 1
        case [x, *others, _] if x > SCALE: return others
        case {"k": v, "l": Mode.FAST, **remaining}: return v, remaining
        case Shape(size=s, kind=str() as k) | Shape(s, k): return s, k
        case _: pass
    def inner(p, q=SCALE, *, r=None):
        nonlocal total
        total = p + q
        yield from ((lambda u, *w, v=1: u + v)(p), r)
    async def later(source):
        async with source as s:
            async for item in s: await item
        return [k async for k in source], {k: v for k, v in source.items()}, {k for k in s}
    class Local(Shape, metaclass=type):
        field: int = SCALE
        other = field
        def method(self): return [field for field in self.names]
    pairs = sorted([(lambda t: t + 1), (lambda t: t + 2)], key=lambda f: f(0), reverse=True)
    import json.decoder as decoder
    from statistics import mean, median as middle
    found = decoder.JSONDecoder, mean, middle(data), sum(i for i in rest)
    return inner, later, Local, pairs, text, found

def values(): return (
    SCALE, WORDS, PATTERN, FOLDER, PERIOD, HUGE, ITEM, Alias, Handler, Point(1), Made(1), Mode.SLOW, Level.LOW, Pair(1),
    Shape(3), Slotted().twice(), Square(2).side, Square.of(3), Square.unit().cost)

def names(x): return (
    math.sin(x), os.path.join("a", x), os.getcwd(), PurePosixPath(x), ThreadPoolExecutor, statistics.mean(x), len(x),
    datetime.now(), pathlib.Path.home(), dict.fromkeys(x), contextlib.suppress(OSError), collections.Counter(x))

def helpers(x): return helper(x), cached(x), shown(x), even(x), functools.partial(helper, 2, z=())

def state():
    count = 0
    def step():
        nonlocal count
        count += SCALE
        return count
    return step

BUILDERS = {
    "syntax": syntax, "values": values, "names": names, "helpers": helpers, "state": state(),
    "partial": functools.partial(helper, 3, y=SCALE), "method": Square(4).area, "class method": Square.of,
    "lambda": [lambda x: x + 1, lambda x: x + 2][1], "odd": odd, "object": Shape(1, names=["n"]).area, "builtin": len,
}
'''

GOLDEN: dict[str, str] = {
    "syntax": "b656874d6ea14c8bb785296eaf04213cefa57dcb7fcf6515b29db80ac32458ce",
    "values": "2785fbd0a3ea79de1925aeefc55966da2573856e3562ca71328aeddd99f0699c",
    "names": "caefe6735b2232f9735c2e298fe7456b77e81215383b786c34c3c70638a5f5d0",
    "helpers": "c29104b6fcfe0481e45bf33e54132f41143360dc90995b1dc02b91effeeba043",
    "state": "56698904a947aae5172b89de131492a1c63d19e77991106373155dcef435aebd",
    "partial": "c49d01a3ecb62b42a7159c42150d95b06712db4917587f67547fbb5149bcb89b",
    "method": "4d018fb2165e5233db87f00ff73c492fac655e7992390ad8ea35eb5bbfeb8dcc",
    "class method": "7a6fc8071745a56f6b3841cc462bf5e14d2dd35bcd6839b790cd93202eaf9ab5",
    "lambda": "2a80311546e209e0c0922caa39a1824a55785a3f9f70690d5833ef2da2e0cd7b",
    "odd": "dca460da9477ec3228de09da11084e01b89bf01cb666555f0d6d6a7b4779f468",
    "object": "234487a8dbe795130504ea9da5ab632ddc1261960cd74b7fe10f39731f805bf2",
    "builtin": "a0775d2a517fb220d25ba78282add2d612988db846d5fd4ef38e4eac1c654f6c",
}

CHILD = """
import json, sys, types
source, pure, folder = sys.argv[1:4]
for name in ("pylightnix", "pylightnix.dsl"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [source + "/" + name.replace(".", "/")]
try:
    import blake3
except ImportError:
    sys.path.insert(0, pure)
sys.path.insert(0, folder)
from pylightnix.dsl.code import identify, normal_form
import sampler
found = {}
for name, builder in sampler.BUILDERS.items():
    identity = identify(builder)
    found[name] = [identity.digest, normal_form(builder), [list(each) for each in identity.unfollowed]]
print(json.dumps(found))
"""


def run(python: str, *options: str, folder: Path, **environment: str) -> dict[str, Any]:
    """What the sampler's builders are in another process: digest, form, what was not followed."""
    (folder / "sampler.py").write_text(SAMPLER)
    arguments = [str(ROOT / "src"), str(ROOT / "tests" / "golden" / "pure"), str(folder)]
    done = subprocess.run(
        [python, "-B", *options, "-c", CHILD, *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@functools.cache
def interpreters() -> dict[str, str]:
    """Every Python of the machine from 3.11 on: its version, and where it is."""
    names = [f"python3.{minor}" for minor in range(11, 16)]
    places = [shutil.which(name) for name in names]
    places += [str(path) for name in names for path in Path.home().glob(f".pyenv/versions/*/bin/{name}")]
    found: dict[str, str] = {}
    for place in filter(None, places):
        asked = [place, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            found.setdefault(answer.stdout.strip(), place)
    return found


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_identities_are_the_golden_ones_in_every_python(version: str, tmp_path: Path) -> None:
    if version not in interpreters():
        pytest.skip(f"this machine has no Python {version}")
    here = run(sys.executable, folder=tmp_path)
    there = run(interpreters()[version], folder=tmp_path)
    for name in here:
        assert there[name] == here[name], name
    assert {name: digest for name, (digest, _, _) in there.items()} == GOLDEN


@pytest.mark.parametrize("options", [["-O"], ["-OO"], ["-X", "no_debug_ranges"]], ids=" ".join)
def test_options_of_the_interpreter_do_not_matter(options: list[str], tmp_path: Path) -> None:
    assert run(sys.executable, *options, folder=tmp_path) == run(sys.executable, folder=tmp_path)


@pytest.mark.parametrize("seed", ["0", "1", "77"])
def test_the_hash_seed_does_not_matter(seed: str, tmp_path: Path) -> None:
    found = run(sys.executable, folder=tmp_path, PYTHONHASHSEED=seed)
    assert {name: digest for name, (digest, _, _) in found.items()} == GOLDEN


def test_of_the_sampler_only_state_is_not_followed(tmp_path: Path) -> None:
    found = run(sys.executable, folder=tmp_path)
    listed = {name: [each[0] for each in unfollowed] for name, (_, _, unfollowed) in found.items() if unfollowed}
    assert listed == {"state": ["count"]}


SCRIPT = """
import dataclasses
from pathlib import Path
K = 3
@dataclasses.dataclass
class Options:
    rate: float = 0.1
@dataclasses.dataclass
class Loud(Options):
    def shout(self): return self.rate, super()
DEFAULT = Options(0.3)
def helper(x): return x + K, Options(), DEFAULT, Loud().shout()
def builder(x): return [helper(each) for each in x], (lambda y: y)
if __name__ == "__main__":
    import os, sys
    os.chdir("/")
    from pylightnix.dsl.code import identify
    print(identify(builder).digest)
"""


def test_a_script_is_what_it_is_as_a_module(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(SCRIPT)
    code = "import work; from pylightnix.dsl.code import identify; print(identify(work.builder).digest)"
    runs = [["work.py"], ["./work.py"], [str(tmp_path / "work.py")], ["-m", "work"], ["-c", code]]
    found = set()
    for arguments in runs:
        done = subprocess.run(
            [sys.executable, "-B", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1
