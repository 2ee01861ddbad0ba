#!/bin/bash
# Start OpenStack's Swift on loopback: one replica on one device, with v1 sign-in or Keystone's.
#
#   usage: tests/servers/start_swift.sh DIR PORT [KEYSTONE_URL]
#
# Needs Debian's packages swift-proxy swift-account swift-container swift-object memcached.
# PORT and the four after it must be free. DIR is emptied, holds everything, and gets a file
# `pids`; end them with `kill -- -ID` for each, for each leads a process group. Without Keystone the
# user is test:tester with the key canary-key-5f0c8e. OBJECT_VERSIONS=false leaves versions out.
set -eu

dir=${1:?directory} port=${2:?port} keystone=${3:-}
object=$((port + 1)) container=$((port + 2)) account=$((port + 3)) memcached=$((port + 4))
user=$(id -un)
rm -rf "$dir"
mkdir -p "$dir"/{srv/d1,log,cache}
cd "$dir"
: >pids

run() {
    local name=$1
    shift
    setsid "$@" >"log/$name.log" 2>&1 </dev/null &
    echo $! >>pids
}

ring() {
    swift-ring-builder "$1.builder" create 4 1 1
    swift-ring-builder "$1.builder" add "r1z1-127.0.0.1:$2/d1" 1
    swift-ring-builder "$1.builder" rebalance
} >>log/rings.log

storage() {
    cat >"$1.conf" <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $2
devices = $dir/srv
mount_check = false
user = $user
workers = 0
swift_dir = $dir
log_address = /dev/null
[pipeline:main]
pipeline = $1-server
[app:$1-server]
use = egg:swift#$1
recon_cache_path = $dir/cache
CONF
}

for server in account:$account container:$container object:$object; do
    ring "${server%%:*}" "${server##*:}" &
    storage "${server%%:*}" "${server##*:}"
done
wait

if [ -n "$keystone" ]; then auth="authtoken keystoneauth"; else auth="tempauth"; fi
cat >proxy.conf <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
user = $user
workers = 0
swift_dir = $dir
log_address = /dev/null
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl $auth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = canary-key-5f0c8e .admin
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = $keystone
auth_url = $keystone
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = swift
password = secret
delay_auth_decision = True
cache = swift.cache
service_token_roles_required = False
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
reseller_prefix = AUTH
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$memcached
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = ${OBJECT_VERSIONS:-true}
[filter:symlink]
use = egg:swift#symlink
[filter:listing_formats]
use = egg:swift#listing_formats
CONF

run memcached memcached -u "$user" -l 127.0.0.1 -p "$memcached" -m 64
for server in account container object; do
    run "$server" "swift-$server-server" "$dir/$server.conf"
done
run proxy swift-proxy-server "$dir/proxy.conf"

tries=0
until curl -sf -o /dev/null "http://127.0.0.1:$port/healthcheck"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ]; then
        echo "Swift did not start, see $dir/log" >&2
        exit 1
    fi
    sleep 0.1
done
cat pids
