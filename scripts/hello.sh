#!/bin/sh
# For one test: the source archive of GNU Hello, from the source packages of the system's own package registry, where
# apt-get has one. Writes build/hello-2.10.tar.gz; without it that test is skipped, and says so. NO_APT=1 fetches nothing.
set -eu

archive=build/hello-2.10.tar.gz
[ ! -e "$archive" ] || exit 0
if [ -n "${NO_APT:-}" ] || ! command -v apt-get >/dev/null 2>&1; then
    printf 'Not here, so its test is skipped: %s\n' "$archive" >&2
    exit 0
fi
printf 'Fetching for a test: %s\n' "$archive" >&2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir -p build "$place/lists/partial"
fetch() {
    timeout 60 apt-get -q -o Dir::Etc::sourcelist="$place/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$place/lists" -o APT::Sandbox::User= "$@" >>"$place/said" 2>&1
}
{
    apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        sort -u >"$place/sources.list" &&
        fetch update && (cd "$place" && fetch source --download-only hello) &&
        mv "$place"/hello_2.10.orig.tar.gz "$archive"
} || { tail -3 "$place/said" >&2; printf 'That failed, so its test is skipped: %s\n' "$archive" >&2; }
