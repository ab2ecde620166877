#!/bin/sh
# For tests: what no package of Python brings, where apt-get may install it, and npm, which does so below build/servers.
# Tests of what is not there are skipped, and say so. NO_APT=1 installs nothing.
set -eu

said=$(mktemp)
trap 'rm -f "$said"' EXIT

absent() { printf 'Not here, so their tests are skipped: %s\n' "$*" >&2; }

# Does what its words say, for what `$1` names, and shows of it only why it failed.
install() {
    names=$1
    shift
    printf 'Installing for tests: %s\n' "$names" >&2
    "$@" >"$said" 2>&1 || { tail -3 "$said" >&2; printf 'That failed, so their tests are skipped: %s\n' "$names" >&2; }
}

with_apt() {
    timeout 120 apt-get -q update &&
        DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -qy install --no-install-recommends "$@"
}

with_npm() {
    mkdir -p build/servers && timeout 180 npm install --prefix build/servers --no-save --no-package-lock --no-audit \
        --no-fund --fetch-retries=1 --fetch-timeout=20000 "$@"
}

missing=
command -v bwrap >/dev/null 2>&1 || missing="bubblewrap"
{ command -v sbatch && command -v munged; } >/dev/null 2>&1 || missing="$missing slurm-wlm munge"
PATH="$PATH:/usr/sbin"
command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server"
command -v nginx >/dev/null 2>&1 || missing="$missing nginx-light"
if [ -n "$missing" ]; then
    if [ -n "${NO_APT:-}" ] || [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        absent "$missing"
    else
        # shellcheck disable=SC2086
        install "$missing" with_apt $missing
    fi
fi

if ! command -v azurite-blob >/dev/null 2>&1 && [ ! -e build/servers/node_modules/.bin/azurite-blob ]; then
    if [ -n "${NO_APT:-}" ] || ! command -v npm >/dev/null 2>&1; then
        absent "azurite, which npm brings"
    else
        install azurite with_npm "azurite@>=3.34"
    fi
fi
