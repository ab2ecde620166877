"""Build GNU Hello from its source archive: fetched by its hash, unpacked, and built by a script of the shell."""

import subprocess
from argparse import ArgumentParser

from pylightnix import Derivation, realize
from pylightnix.stages import command, fetch_url, unpack

URL = "https://ftp.gnu.org/gnu/hello/hello-2.10.tar.gz"
MIRROR = "https://ftpmirror.gnu.org/gnu/hello/hello-2.10.tar.gz"
HASH = "sha256:31e066137a962676e89f69d1b65382de95a7ef7d914b8cb956f41ea72e0f516b"


def hello(url: str = URL) -> Derivation[None]:
    """The program; wherever its source comes from, it is the same derivation."""
    tarball = fetch_url(url, mirrors=[MIRROR], hash=HASH, name="hello-2.10.tar.gz")
    return command(
        "hello",
        """
        cp -R $source source && chmod -R u+w source && cd source
        find . -exec touch -d @0 {} +  # times are not kept, and make would go by them
        export FORCE_UNSAFE_CONFIGURE=1
        ./configure --quiet --prefix=/usr --disable-nls
        make --silent
        mkdir -p $out/usr/bin
        cp hello $out/usr/bin/hello
        """,
        source=unpack(tarball.file, strip=1).directory,
        promises={"program": "usr/bin/hello"},
    )


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=URL, help=f"where the source is (default {URL})")
    program = realize(hello(parser.parse_args().url)).program
    print(f"{subprocess.check_output([program], text=True).strip()} {program}")
