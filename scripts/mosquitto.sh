#!/bin/sh
# make broker: Mosquitto, the MQTT broker that the adapter for real devices is tested against.
#
#   sh scripts/mosquitto.sh        does nothing when there is one
#
# Debian's package mosquitto, under a megabyte. Elsewhere: any Mosquitto 2, on the PATH or in
# /usr/sbin, or its path in MOSQUITTO. The service that the package brings is not started.
set -eu

for name in "${MOSQUITTO:-}" mosquitto /usr/sbin/mosquitto /usr/local/sbin/mosquitto; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
        exit 0
    fi
done

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    cat >&2 <<TEXT
The tests of MQTT devices need Mosquitto, and none was found. On Debian or Ubuntu:
  sudo apt-get install --no-install-recommends mosquitto
Elsewhere install Mosquitto 2; if it is not on the PATH, set MOSQUITTO to it.
TEXT
    exit 1
fi

echo "installing Mosquitto for the tests of MQTT devices ..."
export DEBIAN_FRONTEND=noninteractive
# Only the program is wanted: exit code 101 keeps the package from starting its service.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
# An old list of packages names versions that are gone.
apt-get update -qq
apt-get install -qq -y --no-install-recommends mosquitto >/dev/null
