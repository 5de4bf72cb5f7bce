#!/bin/sh
# Runs once, on an empty volume: whatsmeow's store is a database of its own with a role of its own.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$CLARIN_PASSWORD_WHATSAPP" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role whatsapp login password :'password';
create database whatsapp owner whatsapp;
revoke connect, temporary on database whatsapp from public;
SQL
