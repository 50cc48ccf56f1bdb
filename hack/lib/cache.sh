# The build cache: results kept by the hash of everything they were made from. Sourced, never run.

CACHE_DIR=${KATA_TS_CACHE:-${HOME:-/root}/.cache/kata-ts}

# hash_files FILE…: one hash over the names and bytes of the files, in the order given.
hash_files() { sha256sum -- "$@" | sha256sum | cut -c1-16; }

# cache_lock NAME: only one process at a time makes NAME; others wait, then find it made. Held until the script ends.
cache_lock() {
  mkdir -p "$CACHE_DIR"
  exec {_cache_lock_fd}>"$CACHE_DIR/$1.lock"
  if ! flock --nonblock "$_cache_lock_fd"; then
    say "waiting for another process that is making $1"
    flock "$_cache_lock_fd"
  fi
}

# cache_publish DIR NAME: DIR becomes the entry NAME in one step, so that an interrupted build is never taken for a result.
cache_publish() {
  rm -rf "${CACHE_DIR:?}/$2"
  mv "$1" "$CACHE_DIR/$2"
}

# place FILE DESTINATION: copies only when the bytes differ, so that timestamps stay quiet.
place() {
  if ! cmp -s "$1" "$2"; then
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.new.$$"
    mv "$2.new.$$" "$2"
  fi
}
