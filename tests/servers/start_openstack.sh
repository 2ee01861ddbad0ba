#!/bin/bash
# Start OpenStack's Keystone on loopback, with users, a project and a catalog.
#
#   usage: tests/servers/start_openstack.sh DIR PORT SWIFT_PORT
#
# Needs Debian's packages keystone uwsgi-core uwsgi-plugin-python3 mariadb-server-core
# mariadb-client-core (Keystone locks itself out of SQLite). DIR is emptied, holds everything, and
# gets a file `pids`; end them with `kill -- -ID`, for each leads a process group.
#
# There are the users admin (password secret) and demo (canary-word-77a1), each with a project of
# its own name in the domain Default, and an object store at SWIFT_PORT in the region RegionOne. Id
# and secret of an application credential of demo are in the file `application`.
set -eu

dir=${1:?directory} port=${2:?port} swift=${3:?port of Swift}
rm -rf "$dir"
mkdir -p "$dir"/{log,fernet,credentials,mysql}
cd "$dir"
: >pids
user=$(id -un) group=$(id -gn)
url=http://127.0.0.1:$port

cat >keystone.conf <<CONF
[DEFAULT]
use_stderr = true
public_endpoint = $url
[database]
connection = mysql+pymysql://os:os@localhost/keystone?unix_socket=$dir/mysql.sock&charset=utf8
[token]
provider = fernet
[fernet_tokens]
key_repository = $dir/fernet
[credential]
key_repository = $dir/credentials
[identity]
password_hash_rounds = 4
CONF

run() {
    local name=$1
    shift
    setsid "$@" >"log/$name.log" 2>&1 </dev/null &
    echo $! >>pids
}

wait_for() {
    local tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ]; then
            echo "Keystone did not start, see $dir/log" >&2
            exit 1
        fi
        sleep 0.1
    done
}

mariadb-install-db --no-defaults --auth-root-authentication-method=normal --datadir="$dir/mysql" \
    --user="$user" --skip-test-db >log/install.log 2>&1
run mariadb mariadbd --no-defaults --user="$user" --datadir="$dir/mysql" --socket="$dir/mysql.sock" \
    --skip-networking --pid-file="$dir/mysql.pid" --innodb-flush-log-at-trx-commit=0 \
    --innodb-flush-method=nosync --innodb-doublewrite=0 --innodb-buffer-pool-size=64M
database() { mariadb --no-defaults -S "$dir/mysql.sock" -u root -e "$1"; }
wait_for database "select 1"
database "create database keystone character set utf8mb3;
    create user os@localhost identified by 'os'; grant all on *.* to os@localhost"

manage() {
    keystone-manage --config-file "$dir/keystone.conf" "$@" >>log/manage.log 2>&1
}

manage db_sync
manage fernet_setup --keystone-user "$user" --keystone-group "$group"
manage credential_setup --keystone-user "$user" --keystone-group "$group"
manage bootstrap --bootstrap-password secret --bootstrap-region-id RegionOne \
    --bootstrap-admin-url "$url/v3/" --bootstrap-internal-url "$url/v3/" --bootstrap-public-url "$url/v3/"

export OS_KEYSTONE_CONFIG_FILES="$dir/keystone.conf" OS_KEYSTONE_CONFIG_DIR="$dir"
run keystone uwsgi --plugin python3 --http-socket "127.0.0.1:$port" \
    --wsgi-file /usr/bin/keystone-wsgi-public --master --processes 1 --threads 4 --enable-threads \
    --lazy-apps --need-app --die-on-term --buffer-size 65535 --add-header "Connection: close" \
    --disable-logging
wait_for curl -sf -o /dev/null "$url/v3"

/usr/bin/python3 - "$url/v3" "http://127.0.0.1:$swift/v1/AUTH_%(tenant_id)s" >log/catalog.log 2>&1 <<'PY'
import sys

from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneclient.v3 import client

url, storage = sys.argv[1:]
password = "canary-word-77a1"


def sign_in(user, password):
    auth = v3.Password(
        url,
        username=user,
        password=password,
        project_name=user,
        user_domain_name="Default",
        project_domain_name="Default",
    )
    return client.Client(session=session.Session(auth=auth))


admin = sign_in("admin", "secret")
roles = {role.name: role for role in admin.roles.list()}
service_project = admin.projects.create("service", "default")
swift = admin.users.create("swift", domain="default", password="secret")
admin.roles.grant(roles["admin"], user=swift, project=service_project)
service = admin.services.create("swift", "object-store")
for interface in ("public", "internal", "admin"):
    admin.endpoints.create(service, storage, interface, "RegionOne")
project = admin.projects.create("demo", "default")
demo = admin.users.create("demo", domain="default", password=password, default_project=project)
admin.roles.grant(roles["member"], user=demo, project=project)
own = sign_in("demo", password)
made = own.application_credentials.create("anysky", user=demo.id)
with open("application", "w") as file:
    print(made.id, made.secret, file=file)
PY
cat pids
