#!/bin/sh
# PgBouncer before whatsmeow's database: hundreds of sessions, each with a pool of its own, on a few connections.
set -eu
umask 077
cat > /tmp/pgbouncer.ini <<INI
[databases]
whatsapp = host=${POSTGRES_HOST:-postgres} port=${POSTGRES_PORT:-5432} dbname=whatsapp
[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
auth_type = scram-sha-256
auth_file = /tmp/users.txt
pool_mode = transaction
default_pool_size = ${POOL_SIZE:-40}
max_client_conn = 10000
server_idle_timeout = 30
server_login_retry = 1
query_wait_timeout = 10
ignore_startup_parameters = options,extra_float_digits
log_connections = 0
log_disconnections = 0
INI
printf '"whatsapp" "%s"\n' "$(printf %s "$CLARIN_PASSWORD_WHATSAPP" | sed 's/"/""/g')" > /tmp/users.txt
exec pgbouncer /tmp/pgbouncer.ini
