# shellcheck shell=bash disable=SC2154
# PERSISTENT RESERVE OUT: each service action, carried out and refused, and what PERSISTENT RESERVE IN says afterwards.
# PREEMPT AND ABORT is in iscsi.sh: the loopback fabric of Linux locks up on it. (What NVMe has in other ways or not at
# all is in nvme.sh.)
# targets: lio nvmet-loop

WE='Write Exclusive' EA='Exclusive Access' WERO='Write Exclusive, registrants only'

# Refused with ILLEGAL REQUEST, INVALID FIELD IN CDB or a like qualifier. NAME is the service action's in messages.
refused() {
    local name=$1
    shift
    answers 5 '' "PR out ($name): bad field in cdb (perhaps unsupported service action)
sg_persist failed: Illegal request
Sense data 5/24/00: Illegal Request, Invalid field in cdb" "$@"
}

both_register() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --register --param-sark=123abc "$node2"
}

test_register() {
    succeeds prout --register --param-sark=abc123 "$node1"
    holds "$node1" 1 abc123
    succeeds prout --register --param-sark=123abc "$node2"
    holds "$node1" 2 abc123 123abc
}

test_register_changes_the_key() {
    both_register
    succeeds prout --register --param-rk=abc123 --param-sark=abc124 "$node1"
    holds "$node1" 3 abc124 123abc
}

test_register_needs_the_key_held() {
    succeeds prout --register --param-sark=abc123 "$node1"
    # A registered node that names another key or none, and one not registered that names a key.
    conflicts Register prout --register --param-rk=abc124 --param-sark=1 "$node1"
    conflicts Register prout --register --param-sark=1 "$node1"
    conflicts Register prout --register --param-rk=abc123 --param-sark=1 "$node2"
    holds "$node1" 1 abc123
}

test_register_without_new_key_unregisters() {
    both_register
    succeeds prout --register --param-rk=abc123 "$node1"
    holds "$node1" $((2 + unregistering_counts)) 123abc
    succeeds prout --register --param-rk=123abc --param-sark=0 "$node2"
    holds "$node1" $((2 + 2 * unregistering_counts))
}

test_register_tolerates_a_type() {
    succeeds prout --register --param-sark=abc123 --prout-type=5 "$node1"
    holds "$node1" 1 abc123
}

# only: lio
test_register_aptpl() {
    local file
    succeeds prout --register --param-sark=abc123 --param-aptpl "$node1"
    # The target says that it will remember, and has written down what.
    answers 0 ' 00     00 08 1d 91 ea 01 00 00' '' prin --report-capabilities --hex "$node1"
    read -r file <"$store/wwn/vpd_unit_serial"
    file=/etc/target/pr/aptpl_${file##* }
    # 11256099 is abc123h.
    grep -q '^sa_res_key=11256099$' "$file" || fail "no such key in $file"
    # The next registration without the bit takes it back.
    succeeds prout --register --param-rk=abc123 --param-sark=abc124 "$node1"
    answers 0 ' 00     00 08 1d 90 ea 01 00 00' '' prin --report-capabilities --hex "$node1"
}

# only: lio
test_register_all_target_ports() {
    succeeds prout --register --param-sark=abc123 --param-alltgpt "$node1"
    answers 0 "  PR generation=0x1
    Key=0xabc123
      All target ports bit set
      not reservation holder
      Transport Id of initiator:
        SAS address: 0x$initiator1" '' prin --read-full-status "$node1"
}

test_register_ignore() {
    succeeds prout --register-ignore --param-sark=abc123 "$node1"
    holds "$node1" 1 abc123
    succeeds prout --register-ignore --param-sark=abc124 "$node1"
    holds "$node1" 2 abc124
    # Whatever the reservation key says.
    succeeds prout --register-ignore --param-rk=77 --param-sark=abc125 "$node1"
    holds "$node1" 3 abc125
    succeeds prout --register-ignore --param-sark=0 "$node1"
    holds "$node1" $((3 + unregistering_counts))
}

test_reserve() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=1 "$node1"
    reserved "$node2" 2 abc123 "$WE"
    # By its holder once more: nothing changes.
    succeeds prout --reserve --param-rk=abc123 --prout-type=1 "$node1"
    reserved "$node2" 2 abc123 "$WE"
}

test_reserve_conflicts() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=1 "$node1"
    # Another node, another type, the wrong key.
    conflicts Reserve prout --reserve --param-rk=123abc --prout-type=1 "$node2"
    conflicts Reserve prout --reserve --param-rk=abc123 --prout-type=3 "$node1"
    conflicts Reserve prout --reserve --param-rk=123abc --prout-type=1 "$node1"
    reserved "$node2" 2 abc123 "$WE"
}

# What Linux's target answers to a node that has not registered, where no reservation stands in the way: NOT READY,
# LOGICAL UNIT COMMUNICATION FAILURE.
not_registered() {
    local name=$1
    shift
    answers 2 '' "PR out ($name): Device not ready
sg_persist failed: Device not ready
Sense data 2/08/00: Not Ready, Logical unit communication failure" "$@"
}

# only: lio
test_reserve_needs_registration() {
    not_registered Reserve prout --reserve --param-rk=abc123 --prout-type=1 "$node1"
    unreserved "$node1" 0
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --reserve --param-rk=abc123 --prout-type=1 "$node1"
    conflicts Reserve prout --reserve --param-rk=123abc --prout-type=1 "$node2"
    reserved "$node1" 1 abc123 "$WE"
}

# only: lio
test_reserve_unknown_type() {
    both_register
    refused Reserve prout --reserve --param-rk=abc123 --prout-type=2 "$node1"
    unreserved "$node1" 2
}

# only: lio
test_reserve_without_type() {
    both_register
    answers 5 '' 'warning>>> --prout-type probably needs to be given
PR out (Reserve): bad field in cdb (perhaps unsupported service action)
sg_persist failed: Illegal request
Sense data 5/24/00: Illegal Request, Invalid field in cdb' prout --reserve --param-rk=abc123 "$node1"
    unreserved "$node1" 2
}

test_release() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=3 "$node1"
    succeeds prout --release --param-rk=abc123 --prout-type=3 "$node1"
    unreserved "$node1" 2
    holds "$node1" 2 abc123 123abc
}

test_release_by_another_does_nothing() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=3 "$node1"
    succeeds prout --release --param-rk=123abc --prout-type=3 "$node2"
    reserved "$node2" 2 abc123 "$EA"
}

# only: lio
test_release_refused() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=3 "$node1"
    # Another type, the wrong key.
    conflicts Release prout --release --param-rk=abc123 --prout-type=1 "$node1"
    conflicts Release prout --release --param-rk=123abc --prout-type=3 "$node1"
    reserved "$node2" 2 abc123 "$EA"
}

test_clear() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=3 "$node1"
    # By a node that does not hold it.
    succeeds prout --clear --param-rk=123abc "$node2"
    takes_attention "$node1"
    holds "$node1" 3
    unreserved "$node1" 3
}

# only: lio
test_clear_refused() {
    succeeds prout --register --param-sark=abc123 "$node1"
    conflicts Clear prout --clear --param-rk=abc124 "$node1"
    not_registered Clear prout --clear --param-rk=abc123 "$node2"
    holds "$node1" 1 abc123
}

test_preempt_the_holder() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    succeeds prout --preempt --param-rk=123abc --param-sark=abc123 --prout-type=1 "$node2"
    takes_attention "$node1"
    holds "$node1" 3 123abc
    reserved "$node1" 3 123abc "$WE"
}

test_preempt_another_registrant() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    succeeds prout --preempt --param-rk=abc123 --param-sark=123abc --prout-type=5 "$node1"
    takes_attention "$node2"
    holds "$node2" 3 abc123
    reserved "$node2" 3 abc123 "$WERO"
}

test_preempt_refused() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    # A key that nobody has, and a node that names a key not its own.
    conflicts Preempt prout --preempt --param-rk=abc123 --param-sark=77 --prout-type=5 "$node1"
    conflicts Preempt prout --preempt --param-rk=abc123 --param-sark=abc123 --prout-type=5 "$node2"
    holds "$node1" 2 abc123 123abc
    reserved "$node1" 2 abc123 "$WERO"
}

# only: lio
test_register_move() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    succeeds prout --register-move --param-rk=abc123 --param-sark=123abd --param-unreg \
        --relative-target-port=2 "--transport-id=sas,$initiator2" "$node1"
    # One step: the reservation is the other node's, under its new key, and this one's registration is gone (UNREG).
    answers 0 "  PR generation=0x3
    Key=0x123abd
      All target ports bit clear
      Relative port address: 0x2
      << Reservation holder >>
      scope: LU_SCOPE,  type: Write Exclusive, registrants only
      Transport Id of initiator:
        SAS address: 0x$initiator2" '' prin --read-full-status "$node2"
}

# only: lio
test_register_move_refused() {
    both_register
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    # To a port that there is not, to an initiator that nobody knows.
    for to in "7777 $initiator2" "2 5000c50005b32001"; do
        answers 19 '' 'PR out (register and move): bad field in parameter list
sg_persist failed: Illegal request, Invalid field in parameter list
Sense data 5/26/00: Illegal Request, Invalid field in parameter list' \
            prout --register-move --param-rk=abc123 --param-sark=123abc \
            "--relative-target-port=${to% *}" "--transport-id=sas,${to#* }" "$node1"
    done
    conflicts 'register and move' prout --register-move --param-rk=123abc --param-sark=123abc \
        --relative-target-port=2 "--transport-id=sas,$initiator2" "$node1"
    reserved "$node1" 2 abc123 "$WERO"
}

# only: lio
test_replace_lost_refused() {
    both_register
    refused 'Replace lost reservation' prout --replace-lost --param-rk=abc123 --param-sark=77 "$node1"
    holds "$node1" 2 abc123 123abc
}

# only: lio
test_unit_attention_is_an_answer() {
    both_register
    succeeds prout --clear --param-rk=abc123 "$node1"
    answers 6 '' 'Persistent reservation in:
Fixed format, current; Sense key: Unit Attention
Additional sense: Reservations preempted
PR in (Read keys): Unit attention
sg_persist failed: Unit attention
Another node has cleared or preempted this node'\''s registration or reservation: look at the keys and the reservation before going on' prin --read-keys "$node2"
    holds "$node2" 3
}

# Registering again would put a fenced node back.
# only: lio
test_a_preempted_node_is_not_put_back_by_retries() {
    both_register
    succeeds prout --preempt --param-rk=123abc --param-sark=abc123 --prout-type=5 "$node2"
    answers 6 '' 'Persistent reservation out:
Fixed format, current; Sense key: Unit Attention
Additional sense: Registrations preempted
Not sent again after this unit attention: look at the keys and the reservation first
PR out (Register and ignore existing key): Unit attention
sg_persist failed: Unit attention
Another node has removed this node'\''s registration, perhaps to fence it: look at the keys and the reservation before registering again' prout --register-ignore --param-sark=abc123 --ua-retries=5 "$node1"
    holds "$node2" 3 123abc
}

# only: lio
test_reading_goes_past_unit_attentions() {
    both_register
    succeeds prout --clear --param-rk=abc123 "$node1"
    answers 0 '  PR generation=0x3, there are NO registered reservation keys' '' \
        prin --read-keys --ua-retries=5 "$node2"
}

# only: lio
test_transport_id() {
    # The node registers the other one along (SPEC_I_PT).
    succeeds prout --register --param-sark=abc123 "--transport-id=sas,$initiator2" "$node1"
    answers 0 "  PR generation=0x2
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      not reservation holder
      Transport Id of initiator:
        SAS address: 0x$initiator1
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x2
      not reservation holder
      Transport Id of initiator:
        SAS address: 0x$initiator2" '' prin --read-full-status "$node1"
    # It is registered, so it can act.
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node2"
}

# only: lio
test_transport_id_unknown() {
    answers 19 '' 'PR out (Register): bad field parameter list
sg_persist failed: Illegal request, Invalid field in parameter list
Sense data 5/26/00: Illegal Request, Invalid field in parameter list' \
        prout --register --param-sark=abc123 --transport-id=sas,5000c50005b32001 "$node1"
    holds "$node1" 0
}

# Read back. A repeated registration is seen by its generation, or because it is known which host this is.
test_verify() {
    succeeds prout --register --param-sark=abc123 --verify "$node1"
    succeeds prout --register-ignore --param-sark=abc123 --verify "$node1"
    succeeds prout --register-ignore --param-sark=123abc --verify "$node2"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 --verify "$node1"
    succeeds prout --preempt --param-rk=123abc --param-sark=abc123 --prout-type=5 --verify "$node2"
    takes_attention "$node1"
    succeeds prout --release --param-rk=123abc --prout-type=5 --verify "$node2"
    succeeds prout --register --param-sark=abc123 --verify "$node1"
    succeeds prout --register --param-rk=abc123 --param-sark=0 --verify "$node1"
    succeeds prout --clear --param-rk=123abc --verify "$node2"
    succeeds prout --register-ignore --param-sark=0 --verify "$node2"
}

# unverified TEXT PROUT: accepted, but for the reason TEXT, which the message holds, not known to be done.
unverified() {
    local text=$1 status
    shift
    "$@" --verify </dev/null >/run/out 2>/run/err && status=0 || status=$?
    ((status == 38)) || fail "status $status: $(cat /run/err)"
    [[ ! -s /run/out && $(</run/err) = *"$text"* ]] || fail "$(cat /run/out /run/err)"
}

# only: lio
test_verify_nothing_done() {
    # The holder is the other nexus with this key, and this one's release does nothing.
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --register --param-sark=abc123 "$node2"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    unverified 'expected no reservation held by key 0xabc123, found' prout --release --param-rk=abc123 --prout-type=5 "$node2"
    reserved "$node2" 2 abc123 "$WERO"
    # This one is not registered any more, and the other one's key is not its own.
    succeeds prout --register-ignore --param-sark=0 --verify "$node2"
    unverified 'expected PRGENERATION to go from 0x2 to 0x3, found 0x2' prout --register-ignore --param-sark=0 "$node2"
}

# only: lio
test_verify_what_is_asked_besides() {
    succeeds prout --register --param-sark=abc123 --param-aptpl --verify "$node1"
    succeeds prout --register-ignore --param-sark=0 --verify "$node1"
    succeeds prout --register --param-sark=abc123 --param-alltgpt --verify "$node1"
    succeeds prout --clear --param-rk=abc123 --verify "$node1"
    succeeds prout --register --param-sark=abc123 "--transport-id=sas,$initiator2" --verify "$node1"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 --verify "$node1"
    succeeds prout --register-move --param-rk=abc123 --param-sark=123abd --param-unreg \
        --relative-target-port=2 "--transport-id=sas,$initiator2" --verify "$node1"
}
