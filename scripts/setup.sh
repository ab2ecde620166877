#!/bin/sh
# Makes a virtual environment with everything that development needs, or says in its first line what to install.
# Usage: scripts/setup.sh DIRECTORY [REQUIREMENTS]; PYTHON=… chooses the interpreter. Pip is heard only if it fails.
set -u

venv=$1
requirements=${2:-requirements-dev.txt}
pip="$venv/bin/python -m pip --disable-pip-version-check --no-input"

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venvs() { "$1" -c 'import venv, ensurepip' >/dev/null 2>&1; }
version() { "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null; }

# Sets `python` to the first of the given interpreters that is new enough and can make environments.
choose_python() {
    found=""
    lame=""
    for candidate in "$@"; do
        number=$(version "$candidate") || continue # a shim may stand for nothing
        if ! fits "$candidate"; then
            found="$found $candidate is $number;"
        elif ! makes_venvs "$candidate"; then
            lame=${lame:-$candidate}
        else
            python=$candidate
            return
        fi
    done
    if [ -n "$lame" ]; then
        package=$("$lame" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        fail "Install the venv module of $lame (Debian, Ubuntu: apt-get install $package) and run this again" \
            "($lame is new enough, but cannot import venv and ensurepip; PYTHON=… names another interpreter)"
    fi
    fail "Install Python 3.11 or newer with its venv module (Debian, Ubuntu: apt-get install python3 python3-venv)" \
        "(looked at $*; found:${found:- none;} PYTHON=… names another interpreter)"
}

output=$(mktemp) || fail "Cannot write a temporary file: set TMPDIR to a directory that you may write"
trap 'rm -f "$output"' EXIT

quietly() {
    "$@" >"$output" 2>&1 || {
        printf 'This failed: %s\n' "$*" >&2
        grep -v '^WARNING: Location' "$output" | tail -n 25 >&2
        exit 1
    }
}

if ! fits "$venv/bin/python" || ! $pip --version >/dev/null 2>&1; then
    if [ -n "${PYTHON:-}" ]; then
        choose_python "$PYTHON"
    else
        choose_python python3 python3.13 python3.12 python3.11 python
    fi
    printf 'Setting up %s with Python %s: once, for a minute or two\n' "$venv" "$(version "$python")" >&2
    quietly "$python" -m venv --clear "$venv"
fi
quietly $pip install --requirement "$requirements"
# The build backend is pinned with the rest: nothing else is fetched.
quietly $pip install --no-build-isolation --no-deps --editable .

# What no package of Python brings: a Slurm for its tests, which are skipped with the reason where there is none.
if [ "$(id -u)" -eq 0 ] && [ -z "${NO_APT:-}" ] && command -v apt-get >/dev/null 2>&1 && ! command -v sbatch >/dev/null 2>&1; then
    printf 'Installing slurm-wlm and munge for the tests of Slurm\n' >&2
    { apt-get -q update && DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -qy install --no-install-recommends slurm-wlm munge; } \
        >"$output" 2>&1 || printf 'That failed; the tests of Slurm will be skipped\n' >&2
fi
