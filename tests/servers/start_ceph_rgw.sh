#!/bin/bash
# Start a Ceph object gateway (RGW), strict S3 and Swift, on loopback: one monitor, one OSD in memory.
#
#   usage: tests/servers/start_ceph_rgw.sh DIR [PORT]       (7480)
#
# Needs Debian's ceph-mon, ceph-osd, radosgw, ceph-common and ceph-base; no systemd, no root.
# Writes below DIR only, prints the process ids, one a line, also into DIR/pids; each leads a process
# group of its own: end them with `kill -- -ID`. MONPORT names the monitor's port (6789); the one
# 1,000 above is used as well. Buckets are also hosts below s3.localhost. The key is
ACCESS_KEY=AKTEST00000000000001
SECRET_KEY=SKTEST00000000000000000000000000000000001
# and for Swift, at /auth/1.0, the user test:swift has the key swiftsecret.
set -eu

dir=${1:?a directory}
port=${2:-7480}
monitor=${MONPORT:-6789}
rm -rf "$dir"
mkdir -p "$dir"/mon "$dir"/osd "$dir"/rgw "$dir"/run "$dir"/log
cd "$dir"
: >pids

cat >ceph.conf <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = v2:127.0.0.1:$((monitor + 1000)),v1:127.0.0.1:$monitor
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
# Without this the gateway, which does not sign in, hangs for minutes.
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
ms cluster mode = crc
ms service mode = crc
ms client mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon pg warn min per osd = 0
mon max pg per osd = 1000
run dir = $dir/run
log file = $dir/log/\$name.log
admin socket = $dir/run/\$name.asok
pid file = $dir/run/\$name.pid
crash dir = $dir/crash
keyring = $dir/keyring
[mon]
mon data = $dir/mon
mon initial members = a
mon host = 127.0.0.1
[osd]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd op num shards = 2
[client.rgw]
# Without tcp_nodelay every GET takes 47 ms.
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw data = $dir/rgw
rgw dns name = s3.localhost
rgw enable usage log = false
rgw thread pool size = 32
rgw crypt require ssl = false
rgw swift account in url = true
rgw enable apis = s3, swift, swift_auth, admin
CONF

ceph="-c $dir/ceph.conf"
start() {
    setsid "$@" >>"log/$1.out" 2>&1 </dev/null &
    echo $! >>pids
}
wait_for() {
    for _ in $(seq 200); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    echo "Ceph did not start, see $dir/log" >&2
    cat pids
    exit 1
}
one_osd_is_up() { ceph $ceph osd stat | grep -q '1 up'; }
gateway_answers() { curl -s -o /dev/null "http://127.0.0.1:$port/"; }

key() { ceph-authtool keyring --gen-key -n "$1" --cap mon 'allow *' --cap osd 'allow *' >>log/keys; }
ceph-authtool --create-keyring keyring --gen-key -n mon. --cap mon 'allow *' >log/keys
key client.admin
key client.rgw
fsid=$(sed -n 's/^fsid = //p' ceph.conf)
monmaptool --create --fsid "$fsid" monmap \
    --addv a "[v2:127.0.0.1:$((monitor + 1000)),v1:127.0.0.1:$monitor]" >log/monmap
ceph-mon $ceph -i a --mkfs --monmap monmap --keyring keyring >log/mkfs.mon 2>&1
start ceph-mon $ceph -i a -f
wait_for timeout 5 ceph $ceph -s
uuid=$(cat /proc/sys/kernel/random/uuid)
ceph $ceph osd new "$uuid" >/dev/null 2>log/osd.new
ceph-osd $ceph -i 0 --mkfs --osd-uuid "$uuid" >log/mkfs.osd 2>&1
start ceph-osd $ceph -i 0 -f
wait_for one_osd_is_up
start radosgw $ceph -n client.rgw -f
wait_for gateway_answers
radosgw-admin $ceph user create --uid=test --display-name=Test \
    --access-key=$ACCESS_KEY --secret-key=$SECRET_KEY >log/user 2>&1
radosgw-admin $ceph subuser create --uid=test --subuser=test:swift --access=full \
    --key-type=swift --secret=swiftsecret >log/subuser 2>&1
cat pids
