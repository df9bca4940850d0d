# shellcheck shell=bash disable=SC2154
# The target goes away and comes back: registrations that were to persist through power loss (APTPL) are there again.
# (One test alone: initiators number their sessions from the machine's start, and come back under the same numbers.)
# needs: iscsid:open-iscsi
. "$lab/guest/iscsi.sh"

prepare() { export_lun_iscsi; }

# The kernel writes down what is to persist, and takes it back from whoever sets up the target: registration by
# registration, before there is a port.
store_made() {
    local line registration= serial
    read -r serial <"$store/wwn/vpd_unit_serial"
    serial=${serial##* }
    [[ -e /etc/target/pr/aptpl_$serial ]] || return 0
    while read -r line; do
        case $line in
        PR_REG_START*) registration= ;;
        PR_REG_END*) printf %s "${registration#,}" >"$store/pr/res_aptpl_metadata" ;;
        *) registration+=,$line ;;
        esac
    done <"/etc/target/pr/aptpl_$serial"
}

# The initiators leave, and what they have in memory as well: as after their machines' restart.
stop_initiators() {
    log_out 1 1
    log_out 2 1
    kill "$(</run/iscsid.pid)"
    await no_initiator
    rm -f /run/iscsid.pid
}

no_initiator() {
    [[ ! -e /proc/$(</run/iscsid.pid) ]] && rmmod iscsi_tcp libiscsi_tcp libiscsi scsi_transport_iscsi 2>/run/err
}

# The target is taken apart, down to its modules: nothing but the file of its memory is left.
stop_target() {
    local module tpg=$config/iscsi/$target/tpgt_1
    echo 0 >"$tpg/enable"
    rmdir "$tpg"/np/*
    rm "$tpg"/lun/lun_0/lab
    rmdir "$tpg/lun/lun_0" "$tpg" "$config/iscsi/$target" "$config/iscsi" "$store" "${store%/*}"
    rmmod iscsi_target_mod
    # Some of them the kernel has loaded by itself.
    for module in /sys/module/target_core_*; do
        module=${module##*/}
        [[ $module = target_core_mod ]] || rmmod "$module"
    done
    rmmod target_core_mod
}

test_registrations_persist() {
    succeeds prout --register --param-sark=a1 --param-aptpl "$node1"
    succeeds prout --register --param-sark=b2 --param-aptpl "$node2"
    succeeds prout --reserve --param-rk=b2 --prout-type=6 "$node2"
    stop_initiators
    stop_target
    export_lun_iscsi
    holds "$node1" 2 a1 b2
    reserved "$node1" 2 b2 'Exclusive Access, registrants only'
    reads "$node1" || fail "a registered node cannot read: $(cat /run/err)"
    succeeds prout --release --param-rk=b2 --prout-type=6 "$node2"
}
