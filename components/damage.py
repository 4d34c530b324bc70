"""Damaged queue files: how the last words of a server tell of one, and the script that sets files aside where a shell starts the server.

A collector opens the file of each queue at its start and reads through all of its pages. Damage there ends the process: by an error, or by
a panic in a thread of its own, which no setting of the collector catches. So whoever starts it again sets the files aside before.
"""

from __future__ import annotations

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

_FAILED = "Failed to start component"
_REASONS = ("invalid database", "file size too small", "version mismatch", "checksum error")
_LIBRARY = "go.etcd.io/bbolt"
"""Words of the storage's library when it cannot read a file, and its name in the trace of a panic."""

_TELLING = re.compile(rf"^(?=.*{_FAILED}).*({'|'.join(_REASONS)})|{re.escape(_LIBRARY)}")


def tells_of_damage(last_lines: Iterable[str]) -> bool:
    """Whether a process that ended could not read the file of a queue."""
    return any(_TELLING.search(line) for line in last_lines)


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
    f'(index($0, "{_FAILED}") && /{"|".join(_REASONS)}/) || index($0, "{_LIBRARY}") {{ seen = NR }} '
    f"END {{ if (seen && seen > NR - {LAST_WORDS}) print > words }}"
)
"""Program that hands on the log and tells, in the file ``words``, whether it ended with words of damage."""

_SCRIPT = f"""\
busybox=$1 folders= server= stopping=
shift
while [ "$1" != -- ]; do folders="$folders $1"; shift; done
shift
temporary=$("$busybox" mktemp -d) || exit 1
trap 'stopping=1; [ -z "$server" ] || kill -TERM "$server" 2>/dev/null' TERM INT

set_aside() {{
  found=1
  for folder in $folders; do
    emptied=
    for file in "$folder"/{QUEUE_FILES}; do
      [ -f "$file" ] || continue
      "$busybox" mkdir -p -m 700 "$folder/{FOLDER}" || return 1
      if [ -z "$emptied" ]; then
        for earlier in "$folder/{FOLDER}"/*; do [ ! -f "$earlier" ] || : > "$earlier"; done
        emptied=1
      fi
      aside="$folder/{FOLDER}/${{file##*/}}.$("$busybox" date -u +%Y%m%dT%H%M%SZ)"
      # Two in one second: an earlier one is kept, because their number is told.
      while [ -e "$aside" ]; do aside=$aside.; done
      bytes=$("$busybox" stat -c %s "$file")
      "$busybox" mv "$file" "$aside" || return 1
      found=0
      echo '{{"level":"error","msg":"a queue file could not be read and is set aside, with what was in it",'\
'"file":"'"$aside"'","bytes":'"$bytes"'}}' >&2
    done
  done
  return $found
}}

while [ -z "$stopping" ]; do
  {COUNT}=0
  for folder in $folders; do
    for file in "$folder/{FOLDER}"/*; do [ ! -f "$file" ] || {COUNT}=$(({COUNT} + 1)); done
  done
  export {COUNT}
  "$busybox" rm -f "$temporary/log" "$temporary/words"
  "$busybox" mkfifo "$temporary/log" || exit 1
  "$busybox" awk -v words="$temporary/words" '{_AWK}' < "$temporary/log" >&2 &
  reader=$!
  "$@" 2> "$temporary/log" &
  server=$!
  [ -z "$stopping" ] || kill -TERM "$server" 2>/dev/null
  wait "$server"; status=$?
  while kill -0 "$server" 2>/dev/null; do wait "$server"; status=$?; done
  if [ -n "$stopping" ]; then
    # A signal ends a wait with a status of its own; the server's is still known then, but for one that was told already.
    wait "$server"; later=$?
    [ $later = 127 ] || status=$later
  fi
  wait "$reader"
  case $status in 1|2) ;; *) break ;; esac
  [ -s "$temporary/words" ] && set_aside || break
done
"$busybox" rm -rf "$temporary"
exit "${{status:-143}}"
"""
"""Starts a server again, its queue files set aside, when it could not read one; ends with it in all other cases.

An end by a signal says nothing of the files, whatever the log says, so only the statuses of an error (1) and of a panic (2) count.
"""
