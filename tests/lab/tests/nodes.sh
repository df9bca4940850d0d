# shellcheck shell=bash disable=SC2154
# needs: sg_dd:sg3-utils
# The kinds of device node a logical unit has, and the lines that tell whose they are.

inquiry='  LIO-ORG   FILEIO            4.0 
  Peripheral device type: disk'

test_inquiry_lines() {
    answers 0 "$inquiry
  PR generation=0x0, there are NO registered reservation keys" '' sg_persist --in --read-keys "$node1"
    answers 0 "$inquiry" '' sg_persist --out --register --param-sark=abc123 "$node1"
    answers 0 "$inquiry
  PR generation=0x1, Additional length=8
 00     00 00 00 00 00 ab c1 23" '' sg_persist --in --read-keys --hex "$node1"
    answers 0 "$inquiry
 00     00 08 1d 90 ea 01 00 00" '' sg_persist --in --report-capabilities --hex "$node1"
    answers 24 "$inquiry" 'PR out (Register): Reservation conflict
sg_persist failed: Reservation conflict' sg_persist --out --register --param-sark=abc123 "$node1"
}

# The same walk over any pair of nodes of the two initiators.
walk() {
    local here=$1 there=$2
    answers 0 "$inquiry" '' sg_persist --out --register --param-sark=abc123 "$here"
    succeeds prout --register --param-sark=123abc "$there"
    holds "$here" 2 abc123 123abc
    succeeds prout --reserve --param-rk=abc123 --prout-type=6 "$here"
    reserved "$there" 2 abc123 'Exclusive Access, registrants only'
    conflicts Reserve prout --reserve --param-rk=123abc --prout-type=6 "$there"
    answers 0 ' 00     00 08 1d 90 ea 01 00 00' '' prin --report-capabilities --hex "$here"
    answers 0 "  PR generation=0x2
    Key=0xabc123
      All target ports bit clear
      Relative port address: 0x1
      << Reservation holder >>
      scope: LU_SCOPE,  type: Exclusive Access, registrants only
      Transport Id of initiator:
        SAS address: 0x$initiator1
    Key=0x123abc
      All target ports bit clear
      Relative port address: 0x2
      not reservation holder
      Transport Id of initiator:
        SAS address: 0x$initiator2" '' prin --read-full-status "$there"
    succeeds prout --clear --param-rk=123abc "$there"
    takes_attention "$here"
    holds "$here" 3
}

test_block() { walk "$node1" "$node2"; }
test_generic() { walk "$generic1" "$generic2"; }
test_bsg() { walk "$bsg1" "$bsg2"; }
# One nexus, whichever of its nodes is used.
test_mixed() { walk "$generic1" "$bsg2"; }

# A list of nothing is what the sg driver makes of no data, too: it counts behind an INQUIRY only.
test_generic_nothing() {
    local line node blocks
    for line in --read-keys --read-reservation --read-full-status; do
        for node in "$node1" "$bsg1" "$generic1"; do
            prin -v "$line" "$node" >/run/out 2>/run/err || fail "$line $node: status $?: $(cat /run/err)"
            grep -q '^  PR generation=0x0' /run/out || fail "$line $node: $(cat /run/out)"
            case $node in
            "$generic1") [[ $(grep -ci 'inquiry cdb' /run/err) = 1 ]] || fail "$line $node: $(cat /run/err)" ;;
            *) ! grep -qi 'inquiry cdb' /run/err || fail "$line $node: $(cat /run/err)" ;;
            esac
        done
    done
    # Its buffer is as the last command left it: here READ CAPACITY, then a READ that brings nothing and says GOOD.
    modprobe scsi_debug fake_rw=1 dev_size_mb=8 || fail 'no scsi_debug'
    await has_entry '/sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/scsi_generic' || fail 'no disk'
    for node in /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/scsi_generic/*; do
        for blocks in 8 127; do
            sg_dd if="/dev/${node##*/}" of=/run/out bs=512 bpt="$blocks" 2>/run/err || fail "$(cat /run/err)"
            [[ $(od -An -tx1 -N 16 /run/out) = ' 00 00 3f ff 00 00 02 00 00 00 00 00 00 00 00 00' ]] ||
                fail "$(od -An -tx1 -N 16 /run/out)"
        done
    done
}
