# shellcheck shell=bash disable=SC2154,SC2034
# A logical unit whose blocks a program keeps: tcmu-runner, behind the loopback fabric. (Of its handlers that keep the
# blocks in a file, Debian has the one for images of virtual machines.) Reservations are the kernel's business here, too.
# needs: tcmu-runner:tcmu-runner dbus-daemon:dbus

# Starts the program, once.
load_runner() {
    [[ ! -e /run/runner.started ]] || return 0
    : >/run/runner.started
    load_target tcm_loop target_core_user
    start_bus
    mkdir -p /run/lock /var/log
    # Without log folder of its own: what it says is /run/runner.log.
    tcmu-runner --tcmu-log-dir /run >/run/runner.out 2>&1 &
    await grep -q 'Handler qcow is registered' /run/tcmu-runner.log
}

# In place of the file store of the other tests.
make_store() {
    store_number=0
    while [[ -e $config/core/user_$store_number ]]; do store_number=$((store_number + 1)); done
    store=$config/core/user_$store_number/lab
    truncate -s 16M "/run/runner$store_number.img"
    mkdir -p "$store"
    echo "dev_config=qcow//run/runner$store_number.img,dev_size=16777216,hw_block_size=512" >"$store/control"
    printf '%016x' $((0x700 + store_number)) >"$store/wwn/vpd_unit_serial"
    # The program is told of the new device as soon as it listens.
    await enabled || { cat /run/tcmu-runner.log && return 1; }
}

enabled() {
    echo 1 >"$store/enable" 2>/run/err
}

prepare() {
    load_runner
    export_lun
}

identity='  LIO-ORG   TCMU device       0002
  Peripheral device type: disk'

test_reading() {
    answers 0 "$identity
  PR generation=0x0, there are NO registered reservation keys" '' sg_persist --in --read-keys "$node1"
    answers 0 "$identity" '' sg_persist --out --register --param-sark=abc123 "$node1"
    succeeds prout --register --param-sark=123abc "$node2"
    holds "$node2" 2 abc123 123abc
    unreserved "$node2" 2
    answers 0 "  PR generation=0x2
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      not reservation holder
      Transport Id of initiator:
        SAS address: 0x$initiator1
    Key=0x123abc
      All target ports bit clear
      Relative port address: 0x2
      not reservation holder
      Transport Id of initiator:
        SAS address: 0x$initiator2" '' prin --read-full-status "$node2"
    answers 0 'Report capabilities response:
  Replace Lost Reservation Capable(RLR_C): 0
  Compatible Reservation Handling(CRH): 1
  Specify Initiator Ports Capable(SIP_C): 1
  All Target Ports Capable(ATP_C): 1
  Persist Through Power Loss Capable(PTPL_C): 1
  Type Mask Valid(TMV): 1
  Allow Commands: 1
  Persist Through Power Loss Active(PTPL_A): 0
    Support indicated in Type mask:
      Write Exclusive, all registrants: 1
      Exclusive Access, registrants only: 1
      Write Exclusive, registrants only: 1
      Exclusive Access: 1
      Write Exclusive: 1
      Exclusive Access, all registrants: 1' '' prin --report-capabilities "$node1"
}

test_reserve_and_release() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --register --param-sark=123abc "$node2"
    writes "$node2" A
    succeeds prout --reserve --param-rk=abc123 --prout-type=3 "$node1"
    reserved "$node2" 2 abc123 'Exclusive Access'
    conflicts Reserve prout --reserve --param-rk=123abc --prout-type=3 "$node2"
    ! reads "$node2" || fail 'the other node can read'
    ! writes "$node2" B || fail 'the other node can write'
    first_block "$node1" A
    succeeds prout --release --param-rk=abc123 --prout-type=3 "$node1"
    first_block "$node2" A
    succeeds prout --register --param-rk=abc123 "$node1"
    holds "$node2" 2 123abc
}

test_preempt_and_clear() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --register-ignore --param-sark=123abc "$node2"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    succeeds prout --preempt --param-rk=123abc --param-sark=abc123 --prout-type=1 "$node2"
    takes_attention "$node1"
    reserved "$node1" 3 123abc 'Write Exclusive'
    ! writes "$node1" B || fail 'the preempted node can write'
    succeeds prout --clear --param-rk=123abc "$node2"
    holds "$node1" 4
    unreserved "$node1" 4
}
