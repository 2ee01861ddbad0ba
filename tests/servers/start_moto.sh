#!/bin/sh
# Start moto, the server that stands in for AWS, on loopback for work by hand.
#
#   usage: tests/servers/start_moto.sh [PORT]       (5000)
#
# Prints the process id; end it with `kill ID`. PYTHON names the interpreter that has moto
# installed, LOG the log file. moto's own settings pass through the environment, among them
#   INITIAL_NO_AUTH_ACTION_COUNT=N        after N requests, check signatures and IAM policies
#   MOTO_EC2_LOAD_DEFAULT_AMIS=false      start without the list of public images
#   MOTO_S3_DEFAULT_MAX_KEYS=N            size of a page of objects
set -eu

port=${1:-5000}
python=${PYTHON:-$(dirname "$0")/../../.venv/bin/python}
log=${LOG:-${TMPDIR:-/tmp}/moto-$port.log}

ready() {
    "$python" -c "from urllib.request import urlopen; urlopen('http://127.0.0.1:$port/moto-api/')" \
        2>/dev/null
}

"$python" -m moto.server -H 127.0.0.1 -p "$port" >"$log" 2>&1 </dev/null &
pid=$!
tries=0
until ready; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$pid" 2>/dev/null; then
        kill "$pid" 2>/dev/null || true
        echo "moto did not start, see $log" >&2
        exit 1
    fi
    sleep 0.2
done
echo "$pid"
