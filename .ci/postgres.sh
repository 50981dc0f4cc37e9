#!/usr/bin/env bash
# A throw-away PostgreSQL server for the tests and the benchmarks.
#
#   eval "$(.ci/postgres.sh)"    start it, or find it running; sets FEILUN_TEST_POSTGRES
#   .ci/postgres.sh stop         stop it and remove its files
#
# It listens on a Unix socket alone, in a folder that only its owner can enter, so it
# needs no free port and no password. As root on Debian it installs the distribution's
# package first if there is no server. Where there is none to be had it says so and
# exits 0: the tests that need it then skip.
set -euo pipefail

home="${TMPDIR:-/tmp}/feilun-postgres-$(id -u)"

say() { echo "postgres.sh: $*" >&2; }

# Run the rest as the user that owns the cluster: the server refuses to be root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

binaries() {
    local found
    found="$(find /usr/lib/postgresql /usr/local/pgsql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)"
    [ -n "$found" ] || found="$(command -v initdb || true)"
    [ -z "$found" ] || dirname "$(readlink -f "$found")"
}

install_server() {
    say "installing postgresql from the distribution"
    export DEBIAN_FRONTEND=noninteractive
    # The package must not start a cluster of its own: nothing here would stop it.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    apt-get update >&2
    apt-get install -y --no-install-recommends postgresql >&2
}

running() { [ -d "$home/data" ] && as_owner "$bin/pg_ctl" -D "$home/data" status >/dev/null 2>&1; }

start() {
    rm -rf "$home"
    mkdir -m 0700 "$home"
    [ "$(id -u)" != 0 ] || chown postgres "$home"
    say "making a cluster in $home"
    as_owner "$bin/initdb" -D "$home/data" -U postgres -A trust \
        --encoding=UTF8 --locale=C >"$home/initdb.log" 2>&1 ||
        { cat "$home/initdb.log" >&2; exit 1; }
    as_owner "$bin/pg_ctl" -D "$home/data" -w -t 60 -l "$home/data/server.log" \
        -o "-c listen_addresses='' -c unix_socket_directories='$home'" start >&2 ||
        { cat "$home/data/server.log" >&2; exit 1; }
    as_owner "$bin/createdb" -h "$home" -U postgres feilun >&2
}

stop() {
    if running; then
        as_owner "$bin/pg_ctl" -D "$home/data" -w -m immediate stop >&2
    fi
    rm -rf "$home"
}

bin="$(binaries)"
if [ "${1:-start}" = stop ]; then
    [ -z "$bin" ] || stop
    exit 0
fi
if [ -z "$bin" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    install_server
    bin="$(binaries)"
fi
if [ -z "$bin" ]; then
    say "no PostgreSQL server is installed and only root may install one: its tests will skip"
    exit 0
fi
if ! running; then
    start
fi
echo "export FEILUN_TEST_POSTGRES='postgresql://postgres@/feilun?host=$home'"
