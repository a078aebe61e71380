#!/bin/bash
# Boots the machine in FOLDER/MACHINE with systemd, once for each PHASE, and shows the output. A
# PHASE is a script in this folder.
#
#   boot.sh FOLDER MACHINE PHASE…
set -euo pipefail
folder=$1
machine=$1/$2
shift 2
cp -r "$folder/deb" "$folder/test" "$machine"
mkdir -p "$machine/etc/systemd/logind.conf.d"
printf '[Login]\nKillUserProcesses=yes\n' >"$machine/etc/systemd/logind.conf.d/kill.conf"
cat >"$machine/etc/systemd/system/test.service" <<'UNIT'
[Unit]
After=multi-user.target

[Service]
Type=oneshot
TimeoutStartSec=300
ExecStart=/bin/sh -c '/bin/bash /test/$(cat /phase).sh >/result.log 2>&1; echo $? >/result; systemctl poweroff --no-block'
UNIT
ln -sf ../test.service "$machine/etc/systemd/system/multi-user.target.wants/test.service"
boot() { # boot PHASE: runs a script in the booted machine, and shows its output
    printf '%s\n' "$1" >"$machine/phase"
    rm -f "$machine/result"
    timeout 400 systemd-nspawn --quiet --keep-unit --register=no --private-network --boot --directory="$machine" --console=pipe \
        </dev/null >"$folder/console.log" 2>&1 || true
    cat "$machine/result.log"
    if [ "$(cat "$machine/result" 2>/dev/null)" != 0 ]; then
        tail -n 20 "$folder/console.log"
        exit 1
    fi
}

for phase in "$@"; do
    boot "$phase"
done
