# Messages of the hack/ scripts: what is happening, how far it is, and what to do when it fails.
# Sourced, never run. Everything goes to stderr, so that a script's stdout stays its result.

say() { printf '==> %s\n' "$*" >&2; }

# fail CAUSE FIX: ends the script with one message that names both.
fail() {
  printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2
  exit 1
}

# Shows one line of progress: in place on a terminal, otherwise a new line only when the text changed.
progress() {
  if [ -t 2 ]; then
    printf '\r\033[K    %s' "$1" >&2
  elif [ "$1" != "${_last_progress:-}" ]; then
    printf '    %s\n' "$1" >&2
  fi
  _last_progress=$1
}

progress_end() { if [ -t 2 ]; then printf '\r\033[K' >&2; fi; }

# run_logged LOG LABEL MEASURE COMMAND…
# Runs COMMAND with its output in LOG and reports every few seconds what the function MEASURE prints about LOG.
# When COMMAND fails, the end of LOG is shown and its status is returned.
run_logged() {
  local log=$1 label=$2 measure=$3 pid status=0 started=$SECONDS tick=1
  shift 3
  mkdir -p "$(dirname "$log")"
  # Its own process group, so that a script that is interrupted leaves no compiler running.
  set -m
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  set +m
  trap 'kill -- "-$pid" 2>/dev/null; wait "$pid" 2>/dev/null; exit 130' INT TERM
  [ -t 2 ] || tick=20
  local waited=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    waited=$((waited + 1))
    if [ $((waited % (tick * 5))) -eq 0 ]; then
      progress "$label: $("$measure" "$log"), $((SECONDS - started)) s"
    fi
  done
  wait "$pid" || status=$?
  trap - INT TERM
  progress_end
  if [ "$status" -ne 0 ]; then
    printf -- '---- the end of %s ----\n' "$log" >&2
    tail -n 30 "$log" >&2
  fi
  return "$status"
}

# The measure for commands that print nothing.
working() { printf 'working'; }

# The measure for commands whose last line says what they do.
last_line() { tail -n 1 "$1" | tr '\r' '\n' | tail -n 1 | cut -c1-70; }
