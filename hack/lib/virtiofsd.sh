# The virtio-fs daemon. Sourced by hack/setup after log.sh and cache.sh.

# From its crate, with one line changed. Its policies are `auto` (a guest drops a file's pages at each open(2), so that
# every exec reads the program anew) and `always` (a guest believes names and attributes for a day). The change makes
# `always` believe them for one second: pages stay, and what the host changes is seen within that second. It is placed
# under a name of its own, because the shim must know which of the two it starts (shim/storage/virtiofsd.ts).
install_virtiofsd() {
  local version=$1 entry=virtiofsd-$1-second
  if [ ! -x "$CACHE_DIR/$entry/bin/virtiofsd" ]; then
    cache_lock "$entry"
  fi
  if [ ! -x "$CACHE_DIR/$entry/bin/virtiofsd" ]; then
    say "building virtiofsd $version (once; a minute or two)"
    build_virtiofsd "$version" "$entry"
  fi
  place "$CACHE_DIR/$entry/bin/virtiofsd" build/bin/kata-ts-virtiofsd
}

build_virtiofsd() {
  local version=$1 entry=$2 log=$CACHE_DIR/log/$2.log staging=$CACHE_DIR/$2.staging source=$CACHE_DIR/$2.source crate
  local before='CachePolicy::Always => Duration::from_secs(86400)' after='CachePolicy::Always => Duration::from_secs(1)'
  rm -rf "$staging" "$source"
  mkdir -p "$source/fetch/src"
  # A project that needs the crate is cargo's way to have its source fetched and checked against the registry's hash.
  : >"$source/fetch/src/lib.rs"
  printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nvirtiofsd = "=%s"\n' "$version" >"$source/fetch/Cargo.toml"
  run_logged "$log" "cargo fetch virtiofsd" last_line cargo fetch --manifest-path "$source/fetch/Cargo.toml" ||
    fail "the source of virtiofsd $version could not be fetched" "check the network; the log is $log"
  crate=$(cargo metadata --offline --format-version 1 --manifest-path "$source/fetch/Cargo.toml" 2>/dev/null |
    node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).packages.find(crate => crate.name === "virtiofsd").manifest_path')
  cp -r "$(dirname "$crate")" "$source/virtiofsd"
  sed -i "s/$before/$after/" "$source/virtiofsd/src/main.rs"
  grep -qF "$after" "$source/virtiofsd/src/main.rs" ||
    fail "virtiofsd $version has no line «$before» to change" "correct hack/lib/virtiofsd.sh for this version"
  run_logged "$log" "cargo install virtiofsd" last_line \
    nice -n 10 cargo install --path "$source/virtiofsd" --locked --jobs "${KATA_TS_JOBS:-2}" --root "$staging" ||
    fail "virtiofsd $version did not build" "read $log"
  cache_publish "$staging" "$entry"
  rm -rf "$source"
}
