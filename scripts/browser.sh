#!/bin/sh
# make browser: a headless browser and a Chinese font, for the tests of the web page.
#
#   sh scripts/browser.sh          does nothing when a browser is there
#
# Debian's chromium-headless-shell, about 100 MB. Elsewhere: any Chromium on the PATH, or its
# path in CHROMIUM.
set -eu

for name in "${CHROMIUM:-}" chromium-headless-shell chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
        exit 0
    fi
done

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    cat >&2 <<TEXT
The tests of the web page need Chromium, and none was found. On Debian or Ubuntu:
  sudo apt-get install --no-install-recommends chromium-headless-shell fonts-wqy-microhei
(or the package chromium). Elsewhere install Chromium or Chrome; if it is not on the PATH,
set CHROMIUM to it.
TEXT
    exit 1
fi

echo "installing a browser for the tests of the web page ..."
export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get install -qq -y --no-install-recommends "$@" fonts-wqy-microhei >/dev/null
}
# An old list of packages names versions that are gone.
apt-get update -qq
install chromium-headless-shell || install chromium
