# shellcheck shell=bash disable=SC2154
# Over iSCSI: PREEMPT AND ABORT, and TransportIDs that are names.
# needs: iscsid:open-iscsi
. "$lab/guest/iscsi.sh"

prepare() {
    export_lun_iscsi
}

both_register() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --register --param-sark=123abc "$node2"
}

# What the target tells once the nodes whose registrations were preempted.
attention='Persistent reservation in:
Fixed format, current; Sense key: Unit Attention
Additional sense: Registrations preempted
PR in (Read keys): Unit attention
sg_persist failed: Unit attention
Another node has removed this node'\''s registration, perhaps to fence it: look at the keys and the reservation before registering again'

test_preempt_and_abort_the_holder() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    writes "$node1" A
    succeeds prout --preempt-abort --param-rk=123abc --param-sark=abc123 --prout-type=1 "$node2"
    answers 6 '' "$attention" prin --read-keys "$node1"
    holds "$node1" 3 123abc
    reserved "$node1" 3 123abc 'Write Exclusive'
    ! writes "$node1" B || fail 'the preempted node can write'
    same 'error of writing' "dd: error writing '$node1': Invalid exchange" /run/err || exit 1
    first_block "$node2" A
}

test_preempt_and_abort_another_registrant() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    succeeds prout --preempt-abort --param-rk=abc123 --param-sark=123abc --prout-type=5 "$node1"
    answers 6 '' "$attention" prin --read-keys "$node2"
    holds "$node2" 3 abc123
    reserved "$node2" 3 abc123 'Write Exclusive, registrants only'
}

test_preempt_and_abort_refused() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    conflicts 'Preempt and abort' prout --preempt-abort --param-rk=abc123 --param-sark=77 --prout-type=5 "$node1"
    conflicts 'Preempt and abort' prout --preempt-abort --param-rk=77 --param-sark=abc123 --prout-type=5 "$node2"
    holds "$node1" 2 abc123 123abc
}

test_full_status() {
    both_register
    answers 0 "  PR generation=0x2
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x$relative
      not reservation holder
      Transport Id of initiator:
        iSCSI world wide unique port id: $initiator1
    Key=0x123abc
      All target ports bit clear
      Relative port address: 0x$relative
      not reservation holder
      Transport Id of initiator:
        iSCSI world wide unique port id: $initiator2" '' prin --read-full-status "$node1"
}

# It is known which initiator ports are this host's.
test_verify() {
    succeeds prout --register --param-sark=abc123 --verify "$node1"
    succeeds prout --register-ignore --param-sark=123abc --verify "$node2"
    succeeds prout --register-ignore --param-sark=123abc --verify "$node2"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 --verify "$node1"
    succeeds prout --preempt-abort --param-rk=123abc --param-sark=abc123 --prout-type=1 --verify "$node2"
    succeeds prout --release --param-rk=123abc --prout-type=1 --verify "$node2"
    succeeds prout --register --param-rk=123abc --param-sark=0 --verify "$node2"
}

test_register_move() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    succeeds prout --register-move --param-rk=abc123 --param-sark=123abd "--relative-target-port=$relative" \
        "--transport-id=$initiator2" "$node1"
    # The reservation is the other one's, the registration of this one stays: the bit for the opposite was not given.
    answers 0 "  PR generation=0x2
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x$relative
      not reservation holder
      Transport Id of initiator:
        iSCSI world wide unique port id: $initiator1
    Key=0x123abd
      All target ports bit clear
      Relative port address: 0x$relative
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id of initiator:
        iSCSI world wide unique port id: $initiator2" '' prin --read-full-status "$node2"
    succeeds prout --release --param-rk=123abd --prout-type=5 "$node2"
    unreserved "$node2" 2
}

test_register_move_to_a_name() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    # Without session identifier: TransportID format 0.
    succeeds prout --register-move --param-rk=abc123 --param-sark=123abd --param-unreg "--relative-target-port=$relative" \
        "--transport-id=${initiator2%%,*}" "$node1"
    answers 0 "  PR generation=0x2
    Key=0x123abd
      All target ports bit clear
      Relative port address: 0x$relative
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id of initiator:
        iSCSI name: ${initiator2%%,*}" '' prin --read-full-status "$node2"
}

test_transport_id() {
    succeeds prout --register --param-sark=abc123 "--transport-id=$initiator2" "$node1"
    answers 0 "  PR generation=0x2
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x$relative
      not reservation holder
      Transport Id of initiator:
        iSCSI world wide unique port id: $initiator1
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x$relative
      not reservation holder
      Transport Id of initiator:
        iSCSI world wide unique port id: $initiator2" '' prin --read-full-status "$node1"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node2"
}
