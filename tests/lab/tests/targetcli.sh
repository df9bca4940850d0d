# shellcheck shell=bash disable=SC2154,SC2034
# A target as administrators have it: made with targetcli, saved, gone, and restored from the saved configuration.
# needs: iscsid:open-iscsi targetcli:targetcli-fb dbus-daemon:dbus
. "$lab/guest/iscsi.sh"

prepare() { :; }

test_restored_configuration() {
    local target=iqn.2026-01.lab.example:saved session initiator disk generic bsg address host
    load_initiator
    start_bus
    # It tells the kernel to remember registrations below a folder of its own, which its packages do not have.
    mkdir -p /etc/rtslib-fb-target/pr
    targetcli >/run/targetcli 2>&1 <<END || fail "targetcli: $(cat /run/targetcli)"
/backstores/fileio create disk /run/saved.img 16M write_back=false
/iscsi create $target
/iscsi/$target/tpg1/portals delete 0.0.0.0 3260
/iscsi/$target/tpg1/portals create 127.0.0.1 3260
/iscsi/$target/tpg1/luns create /backstores/fileio/disk
/iscsi/$target/tpg1 set attribute authentication=0 generate_node_acls=1 demo_mode_write_protect=0 cache_dynamic_acls=1
/ saveconfig /run/saved.json
/ clearconfig confirm=True
exit
END
    grep -q "$target" /run/saved.json || fail "not saved: $(cat /run/targetcli)"
    [[ ! -e $config/iscsi/$target ]] || fail "still there: $(cat /run/targetcli)"
    targetcli restoreconfig /run/saved.json >/run/targetcli 2>&1 || fail "restoreconfig: $(cat /run/targetcli)"
    for host in 1 2; do
        log_in "$host" 1 && disk_of 0
        printf -v "node$host" %s "$disk"
        printf -v "initiator$host" %s "$initiator"
    done
    answers 0 '  LIO-ORG   disk              4.0 
  Peripheral device type: disk' '' sg_persist --out --register --param-sark=abc123 "$node1"
    succeeds prout --register --param-sark=123abc "$node2"
    holds "$node1" 2 abc123 123abc
    succeeds prout --reserve --param-rk=abc123 --prout-type=3 "$node1"
    reserved "$node2" 2 abc123 'Exclusive Access'
    ! reads "$node2" || fail 'the other node can read'
    conflicts Reserve prout --reserve --param-rk=123abc --prout-type=3 "$node2"
    answers 0 "  PR generation=0x2
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      << Reservation holder >>
      scope: LU_SCOPE,  type: Exclusive Access
      Transport Id of initiator:
        iSCSI world wide unique port id: $initiator1
    Key=0x123abc
      All target ports bit clear
      Relative port address: 0x1
      not reservation holder
      Transport Id of initiator:
        iSCSI world wide unique port id: $initiator2" '' prin --read-full-status "$node2"
    succeeds prout --preempt-abort --param-rk=123abc --param-sark=abc123 --prout-type=5 "$node2"
    takes_attention "$node1"
    holds "$node1" 3 123abc
    reserved "$node1" 3 123abc 'Write Exclusive, registrants only'
}
