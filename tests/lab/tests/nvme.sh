# shellcheck shell=bash disable=SC2154
# An NVMe namespace of Linux's own target: what differs from SCSI, what NVMe does not have, and where this target does not
# do what the specification says. What is as with SCSI is in prin.sh, prout.sh and types.sh.
# targets: nvmet-tcp
# tools: ours
. "$lab/guest/tcmu.sh"
. "$lab/guest/matrix.sh"

identity='  NVMe      Laboratory targe  0042
  Peripheral device type: disk'
EARO='Exclusive Access, registrants only' WEAR='Write Exclusive, all registrants'

test_inquiry_lines() {
    local node
    load_original
    for node in "$node1" "$generic1"; do
        answers 0 "$identity
  PR generation=0x0, there are NO registered reservation keys" '' sg_persist --in --read-keys "$node"
        # The original knows the device, though not its reservations.
        run_original -k "$node"
        [[ $original_status = [-9] ]] || fail "the original: status $original_status"
        [[ $original_status = - ]] || same "the original's lines" "$identity" /run/original.out || exit 1
    done
    answers 0 "$identity" '' sg_persist --out --register --param-sark=abc123 "$node1"
    answers 24 "$identity" 'PR out (Register): Reservation conflict
sg_persist failed: Reservation conflict' sg_persist --out --register --param-sark=abc124 "$node1"
}

# The same walk over any pair of nodes of the two hosts.
walk() {
    local here=$1 there=$2
    succeeds prout --register --param-sark=abc123 "$here"
    succeeds prout --register --param-sark=fedcba9876543210 "$there"
    holds "$here" 2 abc123 fedcba9876543210
    succeeds prout --reserve --param-rk=abc123 --prout-type=6 "$here"
    reserved "$there" 2 abc123 "$EARO"
    conflicts Reserve prout --reserve --param-rk=fedcba9876543210 --prout-type=6 "$there"
    answers 0 "  PR generation=0x2
    Key=0xabc123
      All target ports bit set
      << Reservation holder >>
      scope: LU_SCOPE,  type: $EARO
      Transport Id of initiator:
        NVMe host identifier: $host1
    Key=0xfedcba9876543210
      All target ports bit set
      not reservation holder
      Transport Id of initiator:
        NVMe host identifier: $host2" '' prin --read-full-status "$there"
    succeeds prout --preempt-abort --param-rk=fedcba9876543210 --param-sark=abc123 --prout-type=6 "$there"
    reserved "$here" 3 fedcba9876543210 "$EARO"
    conflicts Clear prout --clear --param-rk=abc123 "$here"
    succeeds prout --clear --param-rk=fedcba9876543210 "$there"
    holds "$here" 4
}

test_block() { walk "$node1" "$node2"; }
test_generic() { walk "$generic1" "$generic2"; }
# One host, whichever of its nodes is used.
test_mixed() { walk "$generic1" "$node2"; }

test_full_status_hex() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    answers 0 '  PR generation=0x1, Additional length=48
 00     00 00 00 00 00 ab c1 23  00 00 00 00 03 05 00 00
 10     00 00 00 00 00 00 00 18  cb 00 4e 56 4d 65 00 10
 20     aa aa aa aa 00 00 40 00  80 00 00 00 00 00 00 01' '' prin --read-full-status --hex "$node1"
}

test_report_capabilities() {
    answers 0 'Report capabilities response:
  Replace Lost Reservation Capable(RLR_C): 0
  Compatible Reservation Handling(CRH): 0
  Specify Initiator Ports Capable(SIP_C): 0
  All Target Ports Capable(ATP_C): 1
  Persist Through Power Loss Capable(PTPL_C): 0
  Type Mask Valid(TMV): 1
  Allow Commands: 0
  Persist Through Power Loss Active(PTPL_A): 0
    Support indicated in Type mask:
      Write Exclusive, all registrants: 1
      Exclusive Access, registrants only: 1
      Write Exclusive, registrants only: 1
      Exclusive Access: 1
      Write Exclusive: 1
      Exclusive Access, all registrants: 1' '' prin --report-capabilities "$node1"
}

# A host that is not registered: with NVMe that is a conflict.
test_needs_registration() {
    conflicts Reserve prout --reserve --param-rk=abc123 --prout-type=1 "$node1"
    conflicts Clear prout --clear --param-rk=abc123 "$node1"
    conflicts Release prout --release --param-rk=abc123 --prout-type=1 "$node1"
    # Who asks to be unregistered and is not has what he asks for.
    succeeds prout --register --param-sark=0 "$node1"
    succeeds prout --register-ignore --param-sark=0 "$node1"
    holds "$node1" 0
}

# Every registration is good for all ways in, so ALL_TG_PT asks for nothing more.
test_all_target_ports() {
    succeeds prout --register --param-sark=abc123 --param-alltgpt "$node1"
    holds "$node1" 1 abc123
}

test_release_refused() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --reserve --param-rk=abc123 --prout-type=3 "$node1"
    # This target calls another type a conflict.
    conflicts Release prout --release --param-rk=abc123 --prout-type=1 "$node1"
    conflicts Release prout --release --param-rk=123abc --prout-type=3 "$node1"
    reserved "$node2" 1 abc123 'Exclusive Access'
}

# refused STATUS REASON MESSAGE COMMAND...: the program refuses it; MESSAGE is what follows "PR out (".
refused() {
    local status=$1 reason=$2 message=$3 failed='sg_persist failed: Illegal request'
    shift 3
    ((status == 5)) || failed+=', Invalid field in parameter list'
    answers "$status" '' "Persistent reservation out: $reason
PR out ($message
$failed" "$@"
}

test_what_nvme_does_not_have() {
    local field='bad field in cdb (perhaps unsupported service action)'
    succeeds prout --register --param-sark=abc123 "$node1"
    refused 5 'NVMe has nothing like REGISTER AND MOVE' "register and move): $field" \
        prout --register-move --param-rk=abc123 --param-sark=1 --relative-target-port=1 \
        --transport-id=sas,5000c50005b32001 "$node1"
    refused 5 'NVMe has nothing like REPLACE LOST RESERVATION' "Replace lost reservation): $field" \
        prout --replace-lost --param-rk=abc123 --param-sark=1 "$node1"
    refused 19 'NVMe hosts register themselves only: no TransportIDs can be given' 'Register): bad field parameter list' \
        prout --register --param-rk=abc123 --param-sark=1 --transport-id=sas,5000c50005b32001 "$node1"
    refused 19 'the namespace cannot keep registrations through a power loss (bit 0 of RESCAP is 0)' \
        'Register): bad field parameter list' prout --register --param-rk=abc123 --param-sark=1 --param-aptpl "$node1"
    refused 5 'NVMe has no reservations of type 0x2' "Reserve): $field" \
        prout --reserve --param-rk=abc123 --prout-type=2 "$node1"
    answers 5 '' "warning>>> --prout-type probably needs to be given
Persistent reservation out: NVMe has no reservations of type 0x0
PR out (Reserve): $field
sg_persist failed: Illegal request" prout --reserve --param-rk=abc123 "$node1"
    holds "$node1" 1 abc123
    unreserved "$node1" 1
}

# The specification: all registrants hold it, so any of them can release it. This target: only who made it; others are
# told that all is well.
test_deviation_release_by_all_registrants() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --register --param-sark=123abc "$node2"
    succeeds prout --reserve --param-rk=abc123 --prout-type=7 "$node1"
    succeeds prout --release --param-rk=123abc --prout-type=7 "$node2"
    reserved "$node2" 2 0 "$WEAR"
    # Whoever wants to know is not told that it is gone.
    prout --release --param-rk=123abc --prout-type=7 --verify "$node2" </dev/null >/run/out 2>/run/err && status=0 || status=$?
    # (Another host may have made it anew: that leaves no trace in the generation.)
    ((status == 38)) || fail "--verify: status $status"
    [[ ! -s /run/out && $(</run/err) = *"found reservation \"$WEAR\""* ]] || fail "--verify: $(cat /run/out /run/err)"
    succeeds prout --release --param-rk=abc123 --prout-type=7 --verify "$node1"
    unreserved "$node2" 2
}

# The specification: who holds it may ask again. This target: only who made it.
test_deviation_reserve_by_all_registrants() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --register --param-sark=123abc "$node2"
    succeeds prout --reserve --param-rk=abc123 --prout-type=7 "$node1"
    succeeds prout --reserve --param-rk=abc123 --prout-type=7 "$node1"
    conflicts Reserve prout --reserve --param-rk=123abc --prout-type=7 "$node2"
    reserved "$node2" 2 0 "$WEAR"
}

test_controller_node() {
    local reason="an NVMe controller has no reservations, its namespaces have: take a namespace's node, such as ${controller1}n1"
    answers 9 "$identity" "Persistent reservation in: $reason
PR in (Read keys): command not supported
sg_persist failed: Illegal request, Invalid opcode" sg_persist --in --read-keys "$controller1"
    answers 9 '' "Persistent reservation out: $reason
PR out (Clear): command not supported
sg_persist failed: Illegal request, Invalid opcode" prout --clear --param-rk=1 "$controller1"
}

# A partition's node leads to the whole namespace.
test_partition() {
    # A partition table of one entry, from block 2048 on, with 8192 blocks; the kernel is told to look.
    printf '\x00\x00\x00\x00\x83\x00\x00\x00\x00\x08\x00\x00\x00\x20\x00\x00' |
        dd of="$node1" bs=1 seek=446 conv=notrunc status=none
    printf '\x55\xaa' | dd of="$node1" bs=1 seek=510 conv=notrunc status=none
    /run/busybox blockdev --rereadpt "$node1"
    await test -b "${node1}p1"
    dd if="$node1" of=/run/before bs=4096 count=4 status=none
    succeeds prout --register --param-sark=abc123 "${node1}p1"
    holds "$node2" 1 abc123
    answers 0 '  PR generation=0x1, 1 registered reservation key follows:
    0xabc123' '' prin --read-keys "${node1}p1"
    succeeds prout --clear --param-rk=abc123 "${node1}p1"
    holds "${node1}p1" 2
    # Nothing has written to it.
    dd if="$node1" of=/run/after iflag=direct bs=4096 count=4 status=none
    cmp /run/before /run/after || fail 'the namespace has been written to'
}

test_questions() {
    answers 36 '' '' sg_persist --has-key=abc123 "$node1"
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds sg_persist --has-key=abc123 "$generic2"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 "$node1"
    succeeds sg_persist --holder-is=abc123 "$node2"
    answers 36 '' '' sg_persist --holder-is=123abc "$node2"
}

test_verify() {
    succeeds prout --register --param-sark=abc123 --verify "$node1"
    succeeds prout --register --param-sark=123abc --verify "$node2"
    succeeds prout --reserve --param-rk=abc123 --prout-type=5 --verify "$node1"
    succeeds prout --preempt --param-rk=123abc --param-sark=abc123 --prout-type=5 --verify "$node2"
    succeeds prout --release --param-rk=123abc --prout-type=5 --verify "$node2"
    succeeds prout --register --param-rk=123abc --verify "$node2"
    holds "$node1" 4
}

test_json() {
    succeeds prout --register --param-sark=abc123 "$node1"
    sg_persist --json --read-keys "$node1" >/run/out 2>/run/err || fail "status $?: $(cat /run/err)"
    # Space is not what matters.
    [[ $(tr -d ' \n' </run/out) = *'"inquiry":{"vendor":"NVMe","product":"Laboratorytarge","revision":"0042",'*'"parameter_data":{"pr_generation":1,"reservation_keys":["0xabc123"]}'*'"exit_status":{"i":0,'* ]] ||
        fail "$(cat /run/out)"
    sg_persist --json --read-full-status "$node1" >/run/out 2>/run/err || fail "status $?: $(cat /run/err)"
    grep -qF "\"host_identifier\": \"$host1\"" /run/out || fail "$(cat /run/out)"
}

test_overview() {
    succeeds prout --register --param-sark=abc123 "$node1"
    succeeds prout --reserve --param-rk=abc123 --prout-type=6 "$node1"
    sg_persist --overview "$node1" "$generic2" >/run/out 2>/run/err || fail "status $?: $(cat /run/err)"
    [[ ! -s /run/err ]] || fail "$(cat /run/err)"
    local line
    for line in "Device       $node1" 'Unit         NVMe Laboratory targe 0042 (disk)' 'Generation   0x1' "Device       $generic2"; do
        grep -qxF "$line" /run/out || fail "no line \"$line\" in: $(cat /run/out)"
    done
    grep -qF '0xabc123' /run/out || fail "no key in: $(cat /run/out)"
}

# Reading takes a node that can be read, changing one that can be written, and no capability.
test_ordinary_user() {
    local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    chmod 644 "$node1"
    answers 0 '  PR generation=0x0, there are NO registered reservation keys' '' \
        "${nobody[@]}" sg_persist -n --in --read-keys "$node1"
    answers 63 '' "sg_persist: error opening file $node1 (rw): Permission denied
Opening it takes permission to read and write the device node (and in a container also its device cgroup): run this as root, or as a user who has it" \
        "${nobody[@]}" sg_persist -n --out --register --param-sark=1 "$node1"
    chmod 666 "$node1"
    succeeds "${nobody[@]}" sg_persist -n --out --register --param-sark=1 "$node1"
    holds "$node2" 1 1
    # The host's identifier is for those with the capability.
    "${nobody[@]}" sg_persist -n --out --register "$node1" >/run/out 2>/run/err && status=0 || status=$?
    ((status == 63)) || fail "Get Features: status $status: $(cat /run/err)"
    [[ ! -s /run/out && $(</run/err) = *$'\nThis NVMe command takes CAP_SYS_ADMIN: '* ]] || fail "$(cat /run/out /run/err)"
}

# A host that waits hears from its controller that it was preempted: it need not poll for it.
test_notifications_cut_a_wait_short() {
    local begin end
    succeeds prout --register --param-sark=a "$node1"
    succeeds prout --register --param-sark=b "$node2"
    succeeds prout --reserve --param-rk=a --prout-type=3 "$node1"
    sg_persist --holder-is=b --wait=60 "$node1" >/run/out.wait 2>/run/err.wait &
    # The pauses have grown by then.
    sleep 8
    begin=${EPOCHREALTIME/./}
    succeeds prout --preempt --param-rk=b --param-sark=a --prout-type=3 "$node2"
    wait "$!" || fail "status $?: $(cat /run/err.wait)"
    end=${EPOCHREALTIME/./}
    printf 'notified after %d ms\n' $(((end - begin) / 1000)) >>/run/job/figures
    ((end - begin < 2500000)) || fail "it took $(((end - begin) / 1000)) ms"
}
