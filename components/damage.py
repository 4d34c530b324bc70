"""Damaged queue files: how the last words of a server tell of one, and the script that sets files aside where a shell starts the server.

A collector opens the file of each queue at its start and reads through all of its pages. Damage there ends the process: by an error, which
names the queue, or by a panic in a thread of its own, which names nothing and which no setting of the collector catches. So whoever starts
it again sets a file aside before.

A collector opens its queues one after the other, always in the same order, and writes to each as it opens it. So after a panic what was not
written to since the start is what could not be read, or would have come after it. Where these are several, one is set aside in doubt:
when the collector ends again before it has made that file anew, it was not that one, and it is put back.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.workload import Workload

FOLDER = "damaged"
"""Folder in that of the queue, for files that were set aside. Earlier ones are emptied, because their bytes take the room that the queue
may need, and stay, because their number is how often it happened."""

QUEUE_FILES = "exporter_*"
"""Names of the files that hold queues."""

COUNT = "VIRTENGINE_TRACING_QUEUE_FILES_SET_ASIDE"
"""Environment variable of a server with queues: how many of its files were set aside so far."""

LAST_WORDS = 2000
"""Lines before its end in which a server tells why it ended; a panic prints the stack of each thread."""

MOST_DOUBTED = 8
"""Files that are set aside in doubt one after the other, each for a second or two; then all that are left are set aside."""

_FAILED = "Failed to start component"
_REASONS = ("invalid database", "file size too small", "version mismatch", "checksum error", "is a directory")
_LIBRARY = "go.etcd.io/bbolt"
"""Words of the storage's library when it cannot read a file, and its name in the trace of a panic."""

_TELLING = re.compile(rf"^(?=.*{_FAILED}).*({'|'.join(_REASONS)})|{re.escape(_LIBRARY)}")


def tells_of_damage(last_lines: Iterable[str]) -> bool:
    """Whether a process that ended could not read the file of a queue."""
    return any(_TELLING.search(line) for line in last_lines)


def named_file(lines: Iterable[str]) -> str | None:
    """The name of the file that a collector says it could not read; None where it says none."""
    for line in lines:
        if _FAILED in line and _TELLING.search(line):
            try:
                kind, _, name = str(json.loads(line)["id"]).partition("/")
            except (ValueError, KeyError, TypeError):
                continue
            return f"exporter_{kind}_{name}_traces"
    return None


def queue_folders(workload: Workload) -> tuple[str, ...]:
    """The folders of a workload's queues on disk."""
    return tuple(volume.path for volume in workload.volumes if volume.holds == "queue")


def guarded(command: Sequence[str], *, folders: Sequence[str], busybox: str) -> list[str]:
    """The command that runs a server under the script below, which a static busybox at the path ``busybox`` runs.

    Signals reach the server, its log goes where it went, and the status at the end is the server's own.
    """
    return [busybox, "sh", "-c", _SCRIPT, "start", busybox, *folders, "--", *command]


_AWK = (
    "{ print; fflush() } "
    f'index($0, "{_LIBRARY}") {{ seen = NR }} '
    f'index($0, "{_FAILED}") && /{"|".join(_REASONS)}/ {{ seen = NR; if (!name && match($0, /"id":"[^"]*"/)) {{ '
    "id = substr($0, RSTART + 6, RLENGTH - 7); "
    'name = "exporter_" (sub("/", "_", id) ? id : id "_") "_traces"; print name > told; close(told) } } '
    f"END {{ if (seen && seen > NR - {LAST_WORDS}) print name > words }}"
)
"""Program that hands on the log. It tells, in ``words``, whether it ended with words of damage, and the name of the file where they have
it, which it writes to ``told`` as soon as it is there."""

_SCRIPT = f"""\
busybox=$1 folders= server= stopping= doubted= whole=
shift
while [ "$1" != -- ]; do folders="$folders $1"; shift; done
shift
temporary=$("$busybox" mktemp -d) || exit 1
trap 'stopping=1; [ -z "$server" ] || kill -TERM "$server" 2>/dev/null' TERM INT

set_aside() {{
  for file; do
    "$busybox" mkdir -p -m 700 "${{file%/*}}/{FOLDER}" || return 1
    for earlier in "${{file%/*}}/{FOLDER}"/*; do
      [ ! -d "$earlier" ] || "$busybox" rm -r "$earlier" || return 1
      case $earlier in */\\*) ;; *) : > "$earlier" ;; esac
    done
  done
  for file; do
    aside="${{file%/*}}/{FOLDER}/${{file##*/}}.$("$busybox" date -u +%Y%m%dT%H%M%SZ)"
    # Two in one second: an earlier one is kept, because their number is told.
    while [ -e "$aside" ]; do aside=$aside.; done
    bytes=$("$busybox" stat -c %s "$file")
    "$busybox" mv "$file" "$aside" || return 1
    echo '{{"level":"error","msg":"a queue file could not be read and is set aside, with what was in it",'\\
'"file":"'"$aside"'","bytes":'"$bytes"'}}' >&2
  done
}}

blame() {{
  told= suspects= files= named=$("$busybox" cat "$temporary/words")
  if [ -n "$doubted" ] && [ ! -e "$doubted" ]; then
    "$busybox" mv "$aside" "$doubted" || return 1
    whole="$whole $doubted"
    echo '{{"level":"info","msg":"a queue file that was set aside is whole and is put back","file":"'"$doubted"'"}}' >&2
  else
    whole=
  fi
  doubted=
  for folder in $folders; do
    for file in "$folder"/{QUEUE_FILES}; do
      [ -e "$file" ] || continue
      files="$files $file"
      [ "${{file##*/}}" != "$named" ] || told="$told $file"
      case " $whole " in *" $file "*) continue ;; esac
      [ "$file" -nt "$temporary/begun" ] || suspects="$suspects $file"
    done
  done
  [ -n "$files" ] || return 1
  set -- $whole; tried=$#
  set -- $suspects
  if [ -z "$told" ] && [ $# -gt 1 ] && [ $tried -lt {MOST_DOUBTED} ]; then
    doubted=$1
    set_aside "$1"
  else
    set_aside ${{told:-${{suspects:-$files}}}}
  fi
}}

while [ -z "$stopping" ]; do
  {COUNT}=0
  for folder in $folders; do
    for file in "$folder/{FOLDER}"/*; do [ ! -e "$file" ] || {COUNT}=$(({COUNT} + 1)); done
  done
  export {COUNT}
  "$busybox" rm -f "$temporary"/*
  "$busybox" mkfifo "$temporary/log" "$temporary/told" || exit 1
  : > "$temporary/begun"
  "$busybox" awk -v words="$temporary/words" -v told="$temporary/told" '{_AWK}' < "$temporary/log" >&2 &
  reader=$!
  "$@" 2> "$temporary/log" &
  server=$!
  # A collector that could not read one file would wait for the answers to the others before it ends, and take no spans meanwhile.
  {{ read -r _ < "$temporary/told" && : > "$temporary/killed" && kill -KILL "$server"; }} 2>/dev/null &
  watcher=$!
  [ -z "$stopping" ] || kill -TERM "$server" 2>/dev/null
  wait "$server"; status=$?
  while kill -0 "$server" 2>/dev/null; do wait "$server"; status=$?; done
  if [ -n "$stopping" ]; then
    # A signal ends a wait with a status of its own; the server's is still known then, but for one that was told already.
    wait "$server"; later=$?
    [ $later = 127 ] || status=$later
  fi
  wait "$reader"
  kill "$watcher" 2>/dev/null
  wait "$watcher" 2>/dev/null
  case $status in 1|2) ;; *) [ -e "$temporary/killed" ] || break ;; esac
  [ -e "$temporary/words" ] && blame || break
done
"$busybox" rm -rf "$temporary"
exit "${{status:-143}}"
"""
"""Starts a server again, a queue file set aside, when it could not read one; ends with it in all other cases.

An end by a signal that is not the script's own says nothing of the files, whatever the log says, so only the statuses of an error (1) and
of a panic (2) count.
"""
