# shellcheck shell=bash disable=SC2154,SC2034
# The target over iSCSI, within the machine: PREEMPT AND ABORT locks up the loopback fabric of every kernel, not this one,
# and here the target knows names of initiators, session by session. Sourced in the guest, after target.sh.

portal=127.0.0.1:3260

# Starts the initiator's daemon, once a machine.
load_initiator() {
    [[ ! -e /run/iscsid.pid ]] || return 0
    load_target iscsi_tcp iscsi_target_mod
    /run/busybox ip link set lo up
    mkdir -p /run/lock/iscsi
    echo 'InitiatorName=iqn.2026-01.lab:machine' >/etc/iscsi/initiatorname.iscsi
    iscsid --pid=/run/iscsid.pid
    local host
    for host in 1 2; do
        iscsiadm -m iface -I "host$host" -o new
        iscsiadm -m iface -I "host$host" -o update -n iface.initiatorname -v "iqn.2026-01.lab:host$host"
    done >/run/iscsiadm
}

# The folder in sysfs of the session of this target and initiator.
session_of() {
    local session of_target of_initiator
    for session in /sys/class/iscsi_session/session*; do
        read -r of_target <"$session/targetname"
        read -r of_initiator <"$session/initiatorname"
        [[ "$of_target $of_initiator" != "$1 $2" ]] || printf '%s\n' "$session"
    done
}

# One logical unit, two nodes: the hosts log in to the same port. Sets target (its name), node1 and node2 (/dev/sdX),
# initiator1 and initiator2 (names with session identifier, as TransportIDs have them).
export_lun_iscsi() {
    local host tpg attribute session address disk generic bsg
    load_initiator
    make_store
    target=iqn.2026-01.lab:store$store_number
    tpg=$config/iscsi/$target/tpgt_1
    mkdir -p "$tpg/lun/lun_0"
    ln -s "$store" "$tpg/lun/lun_0/"
    # No passwords; whoever logs in may read and write.
    for attribute in authentication=0 generate_node_acls=1 demo_mode_write_protect=0 cache_dynamic_acls=1; do
        echo "${attribute#*=}" >"$tpg/attrib/${attribute%=*}"
    done
    mkdir "$tpg/np/$portal"
    echo 1 >"$tpg/enable"
    for host in 1 2; do
        iscsiadm -m node -T "$target" -p "$portal,1" -I "host$host" -o new
        iscsiadm -m node -T "$target" -p "$portal,1" -I "host$host" --login
        session=$(session_of "$target" "iqn.2026-01.lab:host$host")
        await compgen -G "$session/device/target*/*:0" >/run/found || return
        for address in "$session"/device/target*/*:0; do address=${address##*/}; done
        nodes_of "$address" || return
        printf -v "node$host" %s "$disk"
        # The initiator numbers its sessions, and makes their identifiers (ISID) of the number: format "random", 00023dh.
        printf -v "initiator$host" 'iqn.2026-01.lab:host%s,i,0x00023d%06x' "$host" "${session##*session}"
    done >/run/iscsiadm
}
