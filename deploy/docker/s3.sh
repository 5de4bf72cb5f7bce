#!/bin/sh
# One S3-speaking server with one pair of keys, and the bucket `clarin` in it.
set -eu
umask 077
cat > /tmp/s3.json <<KEYS
{"identities": [{"name": "clarin", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "${CLARIN_MEDIA_ACCESS_KEY:?}", "secretKey": "${CLARIN_MEDIA_SECRET_KEY:?}"}]}]}
KEYS
(until echo "s3.bucket.create -name clarin" | weed shell >/dev/null 2>&1; do sleep 1; done) &
exec weed server -dir=/data -ip=s3 -ip.bind=0.0.0.0 -s3 -s3.port=8333 -s3.config=/tmp/s3.json -volume.max=0
