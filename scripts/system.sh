#!/bin/sh
# For tests: what no package of Python brings, where apt-get may install it. Tests of what is not there are skipped, and
# say so. NO_APT=1 installs nothing.
set -eu

missing=
command -v bwrap >/dev/null 2>&1 || missing="bubblewrap"
{ command -v sbatch && command -v munged; } >/dev/null 2>&1 || missing="$missing slurm-wlm munge"
PATH="$PATH:/usr/sbin"
command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server"
command -v nginx >/dev/null 2>&1 || missing="$missing nginx-light"
[ -n "$missing" ] || exit 0
if [ -n "${NO_APT:-}" ] || [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    printf 'Not here, so their tests are skipped: %s\n' "$missing" >&2
    exit 0
fi
printf 'Installing for tests: %s\n' "$missing" >&2
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# shellcheck disable=SC2086
{ timeout 120 apt-get -q update && DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -qy install --no-install-recommends $missing; } \
    >"$said" 2>&1 || { tail -3 "$said" >&2; printf 'That failed, so their tests are skipped: %s\n' "$missing" >&2; }
