#!/usr/bin/env bash
# Remove the lock that a killed run left in this folder; stop with one line if a running one owns it.
set -euo pipefail
compgen -G '.snakemake/locks/*' >/dev/null || exit 0

# An active run is a Python process that was started as snakemake in this folder. Jobs that survived their
# killed run do not need the lock, because they write to temporary files of their own.
for process in /proc/[0-9]*; do
    [[ $(readlink "$process/exe" 2>/dev/null) == *python* ]] || continue
    [[ $(readlink "$process/cwd" 2>/dev/null) == "$(pwd -P)" ]] || continue
    mapfile -d '' -t words 2>/dev/null <"$process/cmdline" || continue
    for word in "${words[@]:0:4}"; do
        if [[ ${word##*/} == snakemake ]]; then
            echo "A run is active in this folder (process ${process#/proc/}): wait until it ends, or stop it first." >&2
            exit 1
        fi
    done
done
[[ -d /proc/self ]] || { echo "This folder is locked. If no run is active in it: snakemake --unlock" >&2; exit 1; }
echo "Removing the lock of a killed run"
snakemake --unlock --quiet
