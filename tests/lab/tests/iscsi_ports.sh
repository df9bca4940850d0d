# shellcheck shell=bash disable=SC2154
# A target with two ports and two logical units over iSCSI: who is registered where.
# needs: iscsid:open-iscsi
. "$lab/guest/iscsi.sh"

# keeps NAME: the last session's disk and initiator, under that name.
keeps() {
    printf -v "node$1" %s "$disk"
    printf -v "initiator$1" %s "$initiator"
}

# Host 1 comes by both ports (node1, node1b), host 2 by the first (node2). Each port has the logical units 0 and 1.
prepare() {
    local first disk generic bsg address session initiator tpg relative
    load_initiator
    make_store
    first=$store
    make_store
    new_target
    make_port 1
    make_port 2
    offer 1 0 "$first" && offer 2 0 "$first"
    offer 1 1 "$store" && offer 2 1 "$store"
    open_port 1
    port1=$relative
    open_port 2
    port2=$relative
    log_in 1 1 && disk_of 0 && keeps 1
    disk_of 1 && keeps 1lun1
    log_in 1 2 && disk_of 0 && keeps 1b
    log_in 2 1 && disk_of 0 && keeps 2
}

# descriptor KEY PORT INITIATOR [TYPE]: a registration as READ FULL STATUS shows it; with TYPE it holds the reservation.
descriptor() {
    local holder='      not reservation holder'
    [[ -z ${4-} ]] || holder="      << Reservation holder >>
      scope: LU_SCOPE,  type: $4"
    printf '    Key=0x%s\n      All target ports bit clear\n      Relative port address: 0x%s\n%s\n      Transport Id of initiator:\n        %s\n' \
        "$1" "$2" "$holder" "$3"
}

# full_status DEVICE GENERATION DESCRIPTOR...
full_status() {
    local device=$1 lines="  PR generation=0x$2" descriptor
    shift 2
    for descriptor in "$@"; do lines+=$'\n'$descriptor; done
    answers 0 "$lines" '' prin --read-full-status "$device"
}

unique='iSCSI world wide unique port id:'

test_relative_target_ports() {
    succeeds prout --register --param-sark=a1 "$node1"
    succeeds prout --register --param-sark=a2 "$node1b"
    succeeds prout --reserve --param-rk=a2 --prout-type=5 "$node1b"
    full_status "$node2" 2 "$(descriptor a1 "$port1" "$unique $initiator1")" \
        "$(descriptor a2 "$port2" "$unique $initiator1b" 'Write Exclusive, registrants only')"
    # The other path of the same host is a nexus of its own: its release does nothing.
    succeeds prout --release --param-rk=a1 --prout-type=5 "$node1"
    reserved "$node1" 2 a2 'Write Exclusive, registrants only'
    succeeds prout --release --param-rk=a2 --prout-type=5 "$node1b"
}

test_logical_units() {
    succeeds prout --register --param-sark=a1 "$node1"
    succeeds prout --register --param-sark=b1 "$node1lun1"
    succeeds prout --reserve --param-rk=b1 --prout-type=3 "$node1lun1"
    holds "$node1" 1 a1
    unreserved "$node1" 1
    reserved "$node1lun1" 1 b1 'Exclusive Access'
    writes "$node2" A || fail 'the reservation of one logical unit holds for the other'
}

test_all_target_ports() {
    succeeds prout --register --param-sark=a1 --param-alltgpt "$node1"
    answers 0 "  PR generation=0x1
    Key=0xa1
      All target ports bit set
      not reservation holder
      Transport Id of initiator:
        $unique $initiator1" '' prin --read-full-status "$node2"
    holds "$node2" 1 a1
    # Its other session has another identifier, so it is another initiator port.
    succeeds prout --register --param-sark=a2 "$node1b"
    holds "$node2" 2 a1 a2
}

test_register_move_to_another_port() {
    succeeds prout --register --param-sark=a1 "$node1"
    succeeds prout --reserve --param-rk=a1 --prout-type=5 "$node1"
    succeeds prout --register-move --param-rk=a1 --param-sark=a2 --param-unreg "--relative-target-port=$port2" \
        "--transport-id=$initiator1b" "$node1"
    full_status "$node1b" 2 "$(descriptor a2 "$port2" "$unique $initiator1b" 'Write Exclusive, registrants only')"
    succeeds prout --release --param-rk=a2 --prout-type=5 "$node1b"
}

test_register_move_keeps_the_registration() {
    succeeds prout --register --param-sark=a1 "$node1"
    succeeds prout --register --param-sark=b2 "$node2"
    succeeds prout --reserve --param-rk=a1 --prout-type=6 "$node1"
    succeeds prout --register-move --param-rk=a1 --param-sark=b3 "--relative-target-port=$port1" \
        "--transport-id=$initiator2" "$node1"
    full_status "$node2" 3 "$(descriptor a1 "$port1" "$unique $initiator1")" \
        "$(descriptor b3 "$port1" "$unique $initiator2" 'Exclusive Access, registrants only')"
}

# Known to the target, and not logged in.
test_transport_id_of_an_absent_initiator() {
    local acl=$config/iscsi/$target/tpgt_1/acls/iqn.2026-01.lab:host3 absent
    local disk session initiator generic bsg address
    log_in 3 1
    log_out 3 1
    # Sessions are numbered, each gets an identifier of its own: the next one will have this.
    printf -v absent 'iqn.2026-01.lab:host3,i,0x00023d%06x' $((${session##*session} + 1))
    mkdir -p "$acl/lun_0"
    [[ -e $acl/lun_0/lun_0 ]] || ln -s "$config/iscsi/$target/tpgt_1/lun/lun_0" "$acl/lun_0/"
    # (This target finds an initiator here by name and session identifier only.)
    succeeds prout --register --param-sark=a1 "--transport-id=$absent" "$node1"
    full_status "$node2" 2 "$(descriptor a1 "$port1" "$unique $initiator1")" \
        "$(descriptor a1 "$port1" "$unique $absent")"
    succeeds prout --reserve --param-rk=a1 --prout-type=6 "$node1"
    ! reads "$node2" || fail 'a node that has not registered can read'
    # It comes, and is registered already.
    log_in 3 1 && disk_of 0
    [[ $initiator = "$absent" ]] || fail "came as $initiator, expected $absent"
    reads "$disk" || fail "the registered initiator cannot read: $(cat /run/err)"
    succeeds prout --release --param-rk=a1 --prout-type=6 "$node1"
}

# More than one, from standard input and from a file, blanks and a comment among them.
test_transport_ids_from_files() {
    local acl=$config/iscsi/$target/tpgt_1/acls/iqn.2026-01.lab:host4
    mkdir -p "$acl/lun_0"
    ln -s "$config/iscsi/$target/tpgt_1/lun/lun_0" "$acl/lun_0/"
    printf '# the others\n%s\niqn.2026-01.lab:host4,i,0x00023d0000ff\n' "$initiator2" >/run/ids
    answers 0 '' '' bash -c 'sg_persist -n --out --register --param-sark=a1 --transport-id=- "$1" </run/ids' - "$node1"
    holds "$node2" 3 a1 a1 a1
    succeeds prout --clear --param-rk=a1 "$node1"
    takes_attention "$node2"
    holds "$node2" 4
    succeeds prout --register --param-sark=a1 --transport-id=file=/run/ids "$node1"
    full_status "$node2" 7 "$(descriptor a1 "$port1" "$unique $initiator1")" \
        "$(descriptor a1 "$port1" "$unique $initiator2")" \
        "$(descriptor a1 "$port1" "$unique iqn.2026-01.lab:host4,i,0x00023d0000ff")"
}

# All registrants hold it: no single key does, and 0 stands for that.
all_registrants() {
    succeeds prout --register --param-sark=a1 "$node1"
    succeeds prout --register --param-sark=b2 "$node2"
    succeeds prout --reserve --param-rk=a1 "--prout-type=$1" "$node1"
    reserved "$node2" 2 0 "$2"
    full_status "$node2" 2 "$(descriptor a1 "$port1" "$unique $initiator1" "$2")" \
        "$(descriptor b2 "$port1" "$unique $initiator2" "$2")"
    # Who made it, goes: the reservation stays, for the one that is left.
    succeeds prout --register --param-rk=a1 "$node1"
    reserved "$node2" 2 0 "$2"
    ! writes "$node1" A || fail 'a node that is not registered any more can write'
    # The last one takes it along.
    succeeds prout --register --param-rk=b2 "$node2"
    unreserved "$node2" 2
}

test_type_7_key_0() { all_registrants 7 'Write Exclusive, all registrants'; }
test_type_8_key_0() { all_registrants 8 'Exclusive Access, all registrants'; }
