# The stack's image registry: Debian's docker-registry on the loopback of the stack's network namespace. It answers for
# every registry host (see the mirror below), so images keep their upstream names. Sourced by hack/stack.

registry_address=127.0.0.1:5000
image_packages='busybox-static busybox nginx libc6 libcrypt1 libpcre2-8-0 libssl3 zlib1g'

# registry_images: prints the directory with every image, made once for its content.
registry_images() {
  local package versions='' key out programs program
  for package in $image_packages; do versions+="$(cat "$(debian_unpack "$package" bookworm)/VERSION") "; done
  key=$(cat "$checkout"/hack/images/*.ts "$checkout"/hack/images/*.c <(echo "$versions") | sha256sum | cut -c1-16)
  out=$cache/images/registry-$key
  if [ ! -e "$out/digest" ]; then
    say "building the images of the registry from Debian packages"
    [ -x "$checkout/node_modules/.bin/tsx" ] || (cd "$checkout" && npm ci --no-audit --no-fund >&2)
    mkdir -p "$cache/images"
    programs=$(mktemp -d "$cache/images/programs.XXXXXX")
    for program in pause effective-uid; do
      musl-gcc -static -Os -s -o "$programs/$program" "$checkout/hack/images/$program.c" || fail "$program.c did not compile (see above)" "install musl-tools: hack/setup"
    done
    rm -rf "$out.$$"; mkdir "$out.$$"
    "$checkout/node_modules/.bin/tsx" "$checkout/hack/images/cri.ts" "$cache/debian/bookworm" "$programs" "$out.$$" >&2
    rm -rf "$programs" "$out"; mv "$out.$$" "$out"
  fi
  printf '%s\n' "$out"
}

# A copy of its own, so that what is pushed to one stack is not served by another.
start_registry() {
  local dir=$1 images package
  images=$(registry_images)
  package=$(debian_unpack docker-registry bookworm)
  ! ours "$dir/registry.pid" "$dir" || return 0
  mkdir -p "$dir/certs.d/_default"
  if [ "$(cat "$dir/registry.key" 2>/dev/null)" != "$images" ]; then
    rm -rf "$dir/registry"
    cp -a "$images" "$dir/registry"
    printf '%s' "$images" >"$dir/registry.key"
  fi
  cat >"$dir/registry.yml" <<YAML
version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: $dir/registry }
  delete: { enabled: true }
  maintenance: { uploadpurging: { enabled: false } }
http: { addr: $registry_address }
YAML
  # `server` too: nothing outside this machine is asked for an image that is not here.
  cat >"$dir/certs.d/_default/hosts.toml" <<TOML
server = "http://$registry_address"
[host."http://$registry_address"]
  capabilities = ["pull", "resolve", "push"]
TOML
  in_stack "$dir" registry "$package/usr/bin/docker-registry" serve "$dir/registry.yml"
  wait_for 20 "the registry to listen" "$dir/registry.log" \
    nsenter --target "$(cat "$dir/holder.pid")" --net sh -c "ss -Hltn 'sport = :${registry_address#*:}' | grep -q ."
}

# in_stack DIR NAME COMMAND…: a daemon in the stack's namespaces; its pid is in NAME.pid, its output in NAME.log.
in_stack() {
  local dir=$1 name=$2; shift 2
  rm -f "$dir/$name.pid"
  (
    cd /
    export KATA_TS_STACK=$dir
    setsid nsenter --target "$(cat "$dir/holder.pid")" --mount --net \
      sh -c 'echo $$ >"$0"; exec "$@"' "$dir/$name.pid" "$@" </dev/null >>"$dir/$name.log" 2>&1 9>&- &
  )
}
