# shellcheck shell=bash disable=SC2154,SC2034
# The target of the article that people follow: tgt, a program, over iSCSI; the disk IET VIRTUAL-DISK 0001. The machine is
# target and initiators at once. Sourced in the guest, after target.sh.

# Waits for an iSCSI session's logical unit, and sets disk, generic and bsg (its nodes).
session_disk() {
    local session=$1 lun=$2 address
    await compgen -G "$session/device/target*/*:$lun" >/run/found || return
    for address in "$session"/device/target*/*:"$lun"; do address=${address##*/}; done
    nodes_of "$address"
}

load_iscsi_initiator() {
    modprobe -a sd_mod sg iscsi_tcp
    /run/busybox ip link set lo up
    mkdir -p /run/lock/iscsi
}

# Starts the target; once a machine.
load_tgt() {
    [[ ! -e /run/tgtd.started ]] || return 0
    load_iscsi_initiator
    mkdir -p /run/tgtd
    # Waits by itself until it is ready, then leaves a daemon.
    tgtd || return
    : >/run/tgtd.started
}

# tgt_unit IMAGE: makes a target with the file as its logical unit 1. Sets target (its name).
tgt_unit() {
    local number=1
    while [[ -e /run/tgt$number ]]; do number=$((number + 1)); done
    : >"/run/tgt$number"
    target=iqn.2026-01.lab:tgt$number
    tgtadm --lld iscsi --op new --mode target --tid "$number" -T "$target" &&
        tgtadm --lld iscsi --op new --mode logicalunit --tid "$number" --lun 1 -b "$1" &&
        tgtadm --lld iscsi --op bind --mode target --tid "$number" -I ALL
}

# log_in HOST PORTAL-ADDRESS: a session of the initiator of that name with $target; sets disk, generic, bsg. It needs no
# daemon, and none is wanted: one would have to be told to leave a session alone that is refused its commands.
log_in() {
    local session
    iscsistart -i "iqn.2026-01.lab:$1" -t "$target" -g 1 -a "$2" -p 3260 >/run/iscsistart 2>&1 ||
        { cat /run/iscsistart; return 1; }
    for session in /sys/class/iscsi_session/session*; do
        [[ "$(<"$session/targetname") $(<"$session/initiatorname")" = "$target iqn.2026-01.lab:$1" ]] && break
    done
    # (Logical unit 0 is the target's controller.)
    session_disk "$session" 1
}

# One logical unit, two nodes: two names, on the same port. Sets node1, node2, address1, address2.
# export_lun_tgt [IMAGE]
export_lun_tgt() {
    local host disk generic bsg address image=${1-}
    load_tgt || return
    if [[ -z $image ]]; then
        image=$(mktemp -p /run)
        truncate -s 16M "$image"
    fi
    tgt_unit "$image" || return
    for host in 1 2; do
        # The initiator's program takes the same address twice for the same session.
        log_in "host$host" "127.0.0.$host" || return
        printf -v "node$host" %s "$disk"
        printf -v "address$host" %s "${bsg#/dev/bsg/}"
    done
}
