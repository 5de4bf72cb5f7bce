#!/bin/sh
# Roles, schemas and tables; whatsmeow's own database; streams and buckets. Safe to run again, and by two at once.
set -eu
python -m servicekit.migrations provision \
  auth=services/auth/migrations devices=services/device-worker/migrations conversations=services/conversations/migrations pipeline=services/pipeline/migrations bot=services/bot/migrations \
  webhooks=services/webhooks/migrations
python -m servicekit.bus declare
