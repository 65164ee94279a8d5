#!/usr/bin/env bash
# Remove the lock that a killed run left in this folder; stop with one line if a live run owns it.
set -euo pipefail
compgen -G '.snakemake/locks/*' >/dev/null || exit 0

# A live run is a Python that was started as snakemake in this very folder. Workers that outlived
# their killed run own no lock: they write under names of their own.
for process in /proc/[0-9]*; do
    [[ $(readlink "$process/exe" 2>/dev/null) == *python* ]] || continue
    [[ $(readlink "$process/cwd" 2>/dev/null) == "$(pwd -P)" ]] || continue
    mapfile -d '' -t words 2>/dev/null <"$process/cmdline" || continue
    for word in "${words[@]:0:4}"; do
        if [[ ${word##*/} == snakemake ]]; then
            echo "A run is going on in this folder (process ${process#/proc/}): wait for its end or stop it first." >&2
            exit 1
        fi
    done
done
[[ -d /proc/self ]] || { echo "A lock is left. If no run is alive: snakemake --unlock" >&2; exit 1; }
echo "Removing the lock that a killed run left"
snakemake --unlock --quiet
