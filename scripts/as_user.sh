#!/bin/sh
# Runs a command as an ordinary user, whom modes can stop, with a home of its own; root becomes one for it.
# Usage: scripts/as_user.sh COMMAND …; of root's ways the first that can run COMMAND's first word is taken and told.
set -u

home=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$home" && rm -rf "$home"' EXIT
export HOME="$home" TMPDIR="$home" HYPOTHESIS_STORAGE_DIRECTORY="$home/hypothesis" PYTHONDONTWRITEBYTECODE=1

if [ "$(id -u)" -ne 0 ]; then
    "$@"
    exit
fi

unset PYENV_ROOT # root's
nobody="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups --no-new-privs"
powerless="setpriv --bounding-set=-all --inh-caps=-all --no-new-privs"

can() { $1 env "$2" --version >/dev/null 2>&1; }

if can "$nobody" "$1"; then
    printf 'as the user nobody\n' >&2
    chown nobody "$home" && $nobody "$@"
elif can "$powerless" "$1"; then
    printf 'as root without any of its powers: nobody may not run %s\n' "$1" >&2
    $powerless "$@"
else
    printf 'Cannot become an ordinary user: install setpriv (Debian, Ubuntu: apt-get install util-linux)\n' >&2
    exit 1
fi
