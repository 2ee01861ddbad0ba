#!/bin/sh
# Start gcp-storage-emulator, which stands in for Google Cloud Storage, on loopback for work by hand.
#
#   usage: tests/servers/start_gcs.sh [PORT]       (9023)
#
# Prints the process id; end it with `kill ID`. PYTHON names the interpreter that has the emulator
# installed, LOG the log file. Programs find it by STORAGE_EMULATOR_HOST=127.0.0.1:PORT.
set -eu

port=${1:-9023}
here=$(dirname "$0")
python=${PYTHON:-$here/../../.venv/bin/python}
log=${LOG:-${TMPDIR:-/tmp}/gcs-$port.log}

ready() {
    "$python" -c "from urllib.request import urlopen; urlopen('http://127.0.0.1:$port/')" 2>/dev/null
}

if ready; then
    echo "something listens on port $port already" >&2
    exit 1
fi
"$python" -P "$here/gcs_emulator.py" "$port" >"$log" 2>&1 </dev/null &
pid=$!
for _ in $(seq 100); do
    if ready; then
        echo "$pid"
        exit 0
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
done
cat "$log" >&2
exit 1
