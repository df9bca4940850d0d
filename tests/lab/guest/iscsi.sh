# shellcheck shell=bash disable=SC2154,SC2034
# The target over iSCSI, within the machine: PREEMPT AND ABORT locks up the loopback fabric of every kernel, not this one,
# and here the target knows names of initiators, session by session. Sourced in the guest, after target.sh.

# Starts the initiator's daemon, once a machine.
load_initiator() {
    [[ ! -e /run/iscsid.pid ]] || return 0
    load_target iscsi_tcp iscsi_target_mod
    /run/busybox ip link set lo up
    mkdir -p /run/lock/iscsi
    echo 'InitiatorName=iqn.2026-01.lab:machine' >/etc/iscsi/initiatorname.iscsi
    iscsid --pid=/run/iscsid.pid
    local host
    for host in 1 2 3; do
        iscsiadm -m iface -I "host$host" -o new
        iscsiadm -m iface -I "host$host" -o update -n iface.initiatorname -v "iqn.2026-01.lab:host$host"
    done >/run/iscsiadm
}

# new_target: one for the store made last; sets target (its name).
new_target() {
    target=iqn.2026-01.lab:store$store_number
}

# portal NUMBER: the address of a port, of its own. A file may have its own idea.
portal() {
    echo "127.0.0.$1:3260"
}

# make_port NUMBER: a port of $target.
make_port() {
    local attribute
    local tpg=$config/iscsi/$target/tpgt_$1
    mkdir -p "$tpg"
    # No passwords; whoever logs in may read and write.
    for attribute in authentication=0 generate_node_acls=1 demo_mode_write_protect=0 cache_dynamic_acls=1; do
        echo "${attribute#*=}" >"$tpg/attrib/${attribute%=*}"
    done
    mkdir "$tpg/np/$(portal "$1")"
}

# offer PORT LUN [STORE]: the store's logical unit at $target's port, under that number.
offer() {
    local lun=$config/iscsi/$target/tpgt_$1/lun/lun_$2
    mkdir "$lun"
    ln -s "${3-$store}" "$lun/"
}

# open_port NUMBER: from now on one can log in. Sets relative: the number by which SCSI knows the port, hexadecimal; not
# every kernel starts from 1 with each target.
open_port() {
    local tpg=$config/iscsi/$target/tpgt_$1
    echo 1 >"$tpg/enable"
    relative=$1
    [[ ! -e $tpg/rtpi ]] || printf -v relative %x "$(<"$tpg/rtpi")"
}

# log_in HOST PORT: sets session (its folder in sysfs) and initiator (the name with session identifier, as TransportIDs
# have it). The program's own words, of which there are many, are in /run/iscsiadm.
log_in() {
    local folder
    {
        iscsiadm -m node -T "$target" -p "$(portal "$2"),$2" -I "host$1" -o new &&
            iscsiadm -m node -T "$target" -p "$(portal "$2"),$2" -I "host$1" --login
    } >/run/iscsiadm 2>&1 || { cat /run/iscsiadm; return 1; }
    session=
    for folder in /sys/class/iscsi_session/session*; do
        [[ "$(<"$folder/targetname") $(<"$folder/initiatorname") $(<"$folder/tpgt")" != \
            "$target iqn.2026-01.lab:host$1 $2" ]] || session=$folder
    done
    [[ -n $session ]] || { echo "no session of host$1" && return 1; }
    # The initiator numbers its sessions, and makes their identifiers (ISID) of the number: format "random", 00023dh.
    printf -v initiator 'iqn.2026-01.lab:host%s,i,0x00023d%06x' "$1" "${session##*session}"
}

# log_out HOST PORT
log_out() {
    iscsiadm -m node -T "$target" -p "$(portal "$2"),$2" -I "host$1" --logout >/run/iscsiadm 2>&1 ||
        { cat /run/iscsiadm; return 1; }
}

# disk_of LUN: of $session; sets disk, generic, bsg (its nodes) and address (H:C:T:L).
disk_of() {
    await compgen -G "$session/device/target*/*:$1" >/run/found || return
    for address in "$session"/device/target*/*:"$1"; do address=${address##*/}; done
    nodes_of "$address"
}

# One logical unit, two nodes: the hosts log in to the same port. Sets target (its name), node1 and node2 (/dev/sdX),
# address1 and address2 (H:C:T:L), initiator1 and initiator2 (names with session identifier), relative (the port).
export_lun_iscsi() {
    local host session initiator disk generic bsg address
    load_initiator
    make_store
    # A file may have something to do to it before anybody sees it.
    ! declare -F store_made >/dev/null || store_made || return
    new_target
    make_port 1 && offer 1 0 && open_port 1 || return
    for host in 1 2; do
        log_in "$host" 1 && disk_of 0 || return
        printf -v "node$host" %s "$disk"
        printf -v "address$host" %s "$address"
        printf -v "initiator$host" %s "$initiator"
    done
}
