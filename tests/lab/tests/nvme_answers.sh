# shellcheck shell=bash disable=SC2154,SC2034
# What the program makes of answers that no real NVMe target gives on demand: reports of the other form, statuses, reports
# that are malformed, grow or are long, controllers that hang or go away. And what it sends, or does not send.
# kernel: current
# tools: ours
. "$lab/guest/nvmet.sh"
. "$lab/guest/tcmu.sh"
. "$lab/guest/nvme_scripted.sh"
. "$lab/guest/matrix.sh"

# One subsystem serves all of the file's tests but those that take it away.
prepare() {
    if [[ ! -e /run/scripted ]]; then
        : >"$matrix"
        export_scripted_namespace ,reconnect_delay=1
        printf '%s=%q\n' node1 "$node1" node2 "$node2" generic1 "$generic1" handler "$handler" >/run/scripted
    fi
    . /run/scripted
    disk=$node1 generic=$generic1
    answer_by
    : >"$commands"
}

begin() {
    begin_cells
    original_runs=0
}

# Patterns: Reservation Report (Dword 11 tells the form), Identify Controller, Identify Namespace.
report=0e..........0000000.
controller=06..00000001
namespace=06..00000000

malformed='sg_persist failed: Malformed SCSI command response'

test_form_of_short_identifiers() {
    begin
    local status='  PR generation=0x7
    Key=0x1
      All target ports bit set
      << Reservation holder >>
      scope: LU_SCOPE,  type: Exclusive Access, registrants only
      Transport Id of initiator:
        NVMe host identifier: 0x1ab0000000000001
    Key=0x2
      All target ports bit set
      not reservation holder
      Transport Id of initiator:
        NVMe host identifier: 0x1ab0000000000002'
    local regular='regular 2 at 4 04 at 26 01' refusal
    # A controller that says so itself (CTRATT), and one that refuses the other form, in its two ways.
    for refusal in "$controller at 96 00"$'\n'"0e..........00000001 status 4002" \
        '0e..........00000001 status 4018' '0e..........00000001 status 6002'; do
        refusal+=$'\n'"0e..........00000000 $regular"
        cell 'READ FULL STATUS, regular form' 0 "$status" '' "$refusal" -ns
        cell 'READ KEYS, regular form' 0 '  PR generation=0x7, 2 registered reservation keys follow:
    0x1
    0x2' '' "$refusal" -nk
        cell 'READ RESERVATION, regular form' 0 '  PR generation=0x7, Reservation follows:
    Key=0x1
    scope: LU_SCOPE,  type: Exclusive Access, registrants only' '' "$refusal" -nr
    done
    # Neither.
    cell 'READ KEYS, no form' 5 '' 'Persistent reservation in: Reservation Report ended with NVMe status 0x18 (Host identifier inconsistent format)
PR in (Read keys): bad field in cdb or parameter list (perhaps unsupported service action)
sg_persist failed: Illegal request' "$report status 4018" -nk
    end_cells 'regular form'
}

# Exit status for each status of the table that the program has names from, as sg3_utils(8) has them for the sense data
# that the translation reference gives; those that belong to other commands, or to nobody, are "some other".
exit_of() {
    case $1 in
    083) wanted=24 ;;
    01b) wanted=29 ;;
    001) wanted=9 ;;
    002 | 00[b-f] | 01[0-6] | 018 | 01a | 01e | 01f | 023 | 08[5-7] | 089 | 180 | 181 | 286) wanted=5 ;;
    080) wanted=22 ;;
    003 | 004 | 005 | 007 | 008 | 009 | 00a | 019 | 021 | 022) wanted=11 ;;
    006 | 01c | 081 | 088 | 28[0-4] | 287) wanted=3 ;;
    285) wanted=14 ;;
    020 | 182) wanted=7 ;;
    024 | 082) wanted=2 ;;
    01d | 084) wanted=16 ;;
    300 | 360 | 370 | 371) wanted=35 ;;
    301 | 302) wanted=13 ;;
    303) wanted=2 ;;
    *) wanted=98 ;;
    esac
}

# every_status RULE-PATTERN FLAGS REASON MESSAGE COMMAND...
every_status() {
    local pattern=$1 flags=$2 says=$3 message=$4 code name wanted status err wrong=0 number=0 table
    shift 4
    table=$(<"${lab%/*/*}/src/nvme/status.txt")
    # Those about paths, which the kernel makes as well; some that nobody has defined.
    table+='
300 Internal path error
301 Asymmetric access persistent loss
302 Asymmetric access inaccessible
303 Asymmetric access transition
360 Controller pathing error
370 Host pathing error
371 Command aborted by host
7c0 Vendor specific'
    while read -r code name; do
        [[ $code != 000 ]] || continue
        number=$((number + 1))
        exit_of "$code"
        printf -v code %x $((0x$code))
        # (The original's name for a reserved one has a number in it.)
        name=${name%% [*}
        answer_by "$pattern status $(printf %x $((0x$flags | 0x$code)))"
        sg_persist -n "$@" "$node1" </dev/null >/run/out 2>/run/err && status=0 || status=$?
        err=$(</run/err)
        if ((status != wanted)) || [[ -s /run/out || $err != *"$message): "*$'\nsg_persist failed: '* ]]; then
            echo "status $code: $status, expected $wanted: $(cat /run/out) $err"
            wrong=1
        elif ((status != 24)) && [[ $'\n'$err != *$'\n'"$says ended with NVMe status 0x$code ($name)"$'\n'* ]]; then
            echo "status $code: $err"
            wrong=1
        fi
    done <<<"$table"
    keep "every status of $says: $number"
    ((number > 100 && wrong == 0)) || fail "$number statuses, see above"
}

test_every_status_of_a_read() {
    every_status "$report" 0 'Persistent reservation in: Reservation Report' 'PR in (Read keys' -k
}

# With what a controller advises: not to try again, that it has more to say.
test_every_status_of_a_change() {
    every_status 11 6000 'Persistent reservation out: Reservation Acquire' 'PR out (Reserve' \
        --out --reserve --param-rk=1 --prout-type=5
}

test_malformed_reports() {
    begin
    # wrong NAME WORDS REASON: for all three of the answers.
    local action
    wrong() {
        for action in "-nk Read keys" "-nr Read reservation" "-ns Read full status"; do
            cell "$1, ${action#* }" 97 '' "Persistent reservation in: $3
PR in (${action#* }): Malformed SCSI command response
$malformed" "$report $2" "${action%% *}"
        done
    }
    # wrong_reservation: the same, but the keys are as good as ever.
    wrong_reservation() {
        for action in "-nr Read reservation" "-ns Read full status"; do
            # Full status tells of each host by itself.
            [[ $action/$1 != "-ns Read full status/two holders" ]] || continue
            cell "$1, ${action#* }" 97 '' "Persistent reservation in: $3
PR in (${action#* }): Malformed SCSI command response
$malformed" "$report $2" "${action%% *}"
        done
        cell "$1, has the key" 0 '' '' "$report $2" --has-key=3
        cell "$1, Read keys" 0 '  PR generation=0x7, 3 registered reservation keys follow:
    0x1
    0x2
    0x3' '' "$report $2" -nk
    }
    wrong 'nothing came' data 'no reservation report came'
    wrong 'too many registered' 'extended 3 at 5 0400' 'registered controller 4 is missing in the reservation report'
    wrong 'by far too many' 'extended 3 at 5 ffff' 'registered controller 4 is missing in the reservation report'
    wrong 'the header alone' 'extended 3 take 64' 'registered controller 1 is missing in the reservation report'
    wrong 'part of the header' 'extended 3 take 10' 'registered controller 1 is missing in the reservation report'
    wrong 'one of three' 'extended 3 take 128' 'registered controller 2 is missing in the reservation report'
    wrong_reservation 'two holders' 'extended 3 at 4 03 at 66 01 at 130 01' \
        'the reservation report names several holders of a reservation that has one'
    wrong_reservation 'a holder of nothing' 'extended 3 at 66 01' 'the reservation report names a holder and no reservation'
    wrong_reservation 'a reserved type' 'extended 3 at 4 07 at 66 01' \
        'the reservation report names reservation type 0x7, which is not defined'
    wrong_reservation 'the last type' 'extended 3 at 4 ff at 66 01' \
        'the reservation report names reservation type 0xff, which is not defined'
    # Fewer are counted than came: what is counted is what there is.
    cell 'too few registered' 0 '  PR generation=0x7, 2 registered reservation keys follow:
    0x1
    0x2' '' "$report extended 3 at 5 0200" -nk
    end_cells 'malformed reports'
}

# A key or a host identifier of which only a part came is none.
test_reports_cut_within_a_descriptor() {
    begin
    local take
    for take in 66 73 76 79 80 90 95; do
        answer_by "$report extended 1 at 72 8877665544332211 take $take"
        sg_persist -ns "$node1" >/run/out 2>/run/err && status=0 || status=$?
        ((status != 0)) || echo "READ FULL STATUS, $take of 128 bytes: $(cat /run/out)"
        cells=$((cells + 1)) wrong_cells=$((wrong_cells + (status == 0)))
    done
    end_cells 'cut reports'
}

# The holder's entries may be gone, and other hosts' too: what is told is told, for whoever is to fence it.
test_holder_not_listed() {
    begin
    local type number=0 names=('Write Exclusive' 'Exclusive Access' 'Write Exclusive, registrants only'
        'Exclusive Access, registrants only' 'Write Exclusive, all registrants' 'Exclusive Access, all registrants')
    for type in 1 3 5 6 7 8; do
        number=$((number + 1))
        # Of all registrants nobody needs to be marked: that is as ever, so there are none.
        local rule="$report extended $((type < 7)) at 4 0$number"
        cell "reservation of type $type" 0 "  PR generation=0x7, Reservation follows:
    Key=0x0
    scope: LU_SCOPE,  type: ${names[number - 1]}" '' "$rule" -nr
        cell "reserved, type $type" 0 '' '' "$rule" "--reserved=$type"
        cell "holder, type $type" 36 '' '' "$rule" --holder-is=9
    done
    rule="$report extended 1 at 4 03"
    cell 'no holder' 0 '  PR generation=0x7
    Key=0x1
      All target ports bit set
      not reservation holder
      Transport Id of initiator:
        NVMe host identifier: 1ab00000-0000-4000-8000-000000000001' '' "$rule" -ns
    cell 'a listed key is no holder' 36 '' '' "$rule" --holder-is=1
    cell 'key 0 is no holder' 36 '' '' "$rule" --holder-is=0
    end_cells 'holders that are not listed'
    answer_by "$rule"
    sg_persist --overview "$node1" >/run/out 2>/run/err || fail "status $?: $(cat /run/err)"
    [[ ! -s /run/err ]] || fail "$(cat /run/err)"
    grep -qF 'The device does not say who holds it.' /run/out || fail "$(cat /run/out)"
}

# keys_of N: the lines of READ KEYS with as many keys; sets $lines.
keys_of() {
    lines="  PR generation=0x7, $1 registered reservation keys follow:"$(printf '\n    0x%x' $(seq "$1"))
}

# A controller that counts only what fits: a report that fills its room is no whole one.
test_shortened_reports() {
    keys_of 300
    # Room for 63, for 127, for 255, for 511.
    answer_by "$report@1 extended 63" "$report@2 extended 127" "$report@3 extended 255" "$report@4+ extended 300"
    answers 0 "$lines" '' prin --read-keys "$node1"
    [[ $(grep -c '^0e' "$commands") = 4 ]] || fail "$(cat "$commands")"
    : >"$commands"
    keys_of 63
    answer_by "$report extended 63"
    answers 0 "$lines" '' prin --read-keys "$node1"
    [[ $(grep -c '^0e' "$commands") = 2 ]] || fail "$(cat "$commands")"
}

# Identify data that did not come tells nothing about what there is.
test_identify_in_part() {
    local message='PR in (Report capabilities): Malformed SCSI command response'
    answer_by "$controller data $(printf '01%.0s' {1..100})"
    answers 97 '' "Persistent reservation in: the data of Identify Controller came in part only, or changed while it was read
$message
$malformed" prin --report-capabilities "$node1"
    answer_by "$namespace data $(printf '01%.0s' {1..30})"
    answers 97 '' "Persistent reservation in: the data of Identify Namespace came in part only, or changed while it was read
$message
$malformed" prin --report-capabilities "$node1"
    no_command
}

# More than one command's room: the program asks again for as much as there is.
test_long_reports() {
    local count
    for count in 64 500 1000; do
        keys_of "$count"
        answer_by "$report extended $count"
        answers 0 "$lines" '' prin --read-keys "$node1"
        answer_by "0e..........00000001 status 4018" "0e..........00000000 regular $count"
        answers 0 "$lines" '' prin --read-keys "$node1"
    done
}

# A list that grows between two reads is read again; one that does not stop is not waited for.
test_growing_reports() {
    keys_of 300
    answer_by "$report@1 extended 100" "$report@2 extended 200" "$report@3+ extended 300"
    answers 0 "$lines" '' prin --read-keys "$node1"
    # And one that shrinks.
    keys_of 70
    answer_by "$report@1 extended 100" "$report@2+ extended 70"
    answers 0 "$lines" '' prin --read-keys "$node1"
    # Each time more than the room that the last count asked for.
    answer_by "$report@1 extended 100" "$report@2 extended 400" "$report@3 extended 1600" "$report@4 extended 6400" \
        "$report@5+ extended 25600"
    prin --read-keys "$node1" >/run/out 2>/run/err && status=0 || status=$?
    ((status == 97)) || fail "growing: status $status: $(head -c 200 /run/out) $(cat /run/err)"
    [[ ! -s /run/out && $(</run/err) = 'Persistent reservation in: the reservation report kept growing while it was read: '* ]] ||
        fail "growing: $(cat /run/out /run/err)"
}

# no_command: none about reservations came to the controller.
no_command() {
    ! grep -E '^(0d|0e|11|15)' "$commands" || fail 'a reservation command was sent'
}

unsupported() {
    answers 9 '' "Persistent reservation in: $1
PR in (Read keys): command not supported
sg_persist failed: Illegal request, Invalid opcode" prin --read-keys "$node1"
    answers 9 '' "Persistent reservation out: $1
PR out (Register): command not supported
sg_persist failed: Illegal request, Invalid opcode" prout --register --param-sark=1 "$node1"
}

test_no_reservations() {
    local reason='the NVMe controller does not support reservations (bit 5 of ONCS is 0)'
    answer_by "$controller at 520 dfff"
    unsupported "$reason"
    answers 9 '' "Persistent reservation out: $reason
PR out (Reserve): command not supported
sg_persist failed: Illegal request, Invalid opcode" prout --reserve --param-rk=1 --prout-type=5 "$node1"
    answers 9 '' "Persistent reservation in: $reason
PR in (Report capabilities): command not supported
sg_persist failed: Illegal request, Invalid opcode" prin --report-capabilities "$node1"
    no_command
    answer_by "$namespace at 31 00"
    answers 9 '' "Persistent reservation in: the NVMe namespace does not support reservations (RESCAP is 0)
PR in (Report capabilities): command not supported
sg_persist failed: Illegal request, Invalid opcode" prin --report-capabilities "$node1"
    no_command
}

# capabilities RESCAP PTPLS TYPES...: the type mask and what persists, as bytes.
capable() {
    answer_by "$namespace at 31 $1" "$report extended 1 at 9 $2"
    answers 0 " 00     $3" '' prin --report-capabilities --hex "$node1"
}

test_capabilities() {
    # Each bit of RESCAP by itself: no type of reservation but the one; persisting, active or not.
    capable 02 00 '00 08 04 80 02 00 00 00'
    capable 04 00 '00 08 04 80 08 00 00 00'
    capable 08 00 '00 08 04 80 20 00 00 00'
    capable 10 00 '00 08 04 80 40 00 00 00'
    capable 20 00 '00 08 04 80 80 00 00 00'
    capable 40 00 '00 08 04 80 00 01 00 00'
    capable 01 00 '00 08 05 80 00 00 00 00'
    capable 01 01 '00 08 05 81 00 00 00 00'
    capable 7f 01 '00 08 05 81 ea 01 00 00'
}

# sent BYTES...: these are the reservation commands that came, in this order; then they are forgotten.
sent() {
    [[ $(grep -E '^(0d|0e|11|15)' "$commands") = "$(printf '%s\n' "$@")" ]] ||
        fail "came: $(cat "$commands") expected: $*"
    : >"$commands"
}

test_persist_through_power_loss() {
    # Where the namespace can: CPTPL (bits 31:30 of Dword 10) 11b sets it, and a report tells that it is so.
    local can="$namespace at 31 ff" key=23c1ab0000000000 none=0000000000000000 look=0e01000003ff00000001
    answer_by "$can" "$report extended 1 at 9 01"
    succeeds prout --register --param-sark=abc123 --param-aptpl "$node1"
    sent "0d01c000000000000000 $none$key" "$look"
    # Nobody else touches it: it is the namespace's.
    succeeds prout --register --param-sark=abc123 "$node1"
    sent "0d010000000000000000 $none$key"
    succeeds prout --register --param-rk=abc123 "$node1"
    sent "0d010000000100000000 $key$none"
    # A host that registers its key again may have been told that it is done, and nothing was.
    answer_by "$can" "$report@1 extended 1" "$report@2 extended 1 at 9 01"
    succeeds prout --register-ignore --param-sark=abc123 --param-aptpl "$node1"
    sent "0d01c000000000000000 $none$key" "$look" "0d01c000000200000000 $key$key" "$look"
    answer_by "$can" "$report extended 1"
    answers 37 '' 'Persistent reservation out: the keys are as asked for, but registrations and reservation do not persist through a power loss (PTPLS is 0)
PR out (Register): Accepted, but the effect is not there
sg_persist failed: Accepted, but the effect is not there' prout --register --param-sark=abc123 --param-aptpl "$node1"
    : >"$commands"
    # Where it cannot, nothing of the kind is asked for.
    answer_by
    succeeds prout --register --param-sark=abc123 "$node1"
    sent '0d010000000000000000 000000000000000023c1ab0000000000'
    answers 19 '' 'Persistent reservation out: the namespace cannot keep registrations through a power loss (bit 0 of RESCAP is 0)
PR out (Register): bad field parameter list
sg_persist failed: Illegal request, Invalid field in parameter list' prout --register --param-sark=1 --param-aptpl "$node1"
    no_command
}

# Every change is one command; these are its bytes.
test_what_is_sent() {
    local key=23c1ab0000000000 other=bc3a120000000000 none=0000000000000000
    succeeds prout --register --param-rk=abc123 --param-sark=123abc "$node1"
    sent "0d010000000200000000 $key$other"
    succeeds prout --register --param-rk=abc123 "$node1"
    sent "0d010000000100000000 $key$none"
    succeeds prout --register-ignore --param-sark=123abc "$node1"
    sent "0d010000000000000000 $none$other"
    answer_by '0d@1 status 4083'
    succeeds prout --register-ignore --param-sark=123abc "$node1"
    sent "0d010000000000000000 $none$other" "0d010000000a00000000 $none$other"
    succeeds prout --register-ignore --param-sark=0 "$node1"
    sent "0d010000000900000000 $none$none"
    local number=0 type
    for type in 1 3 5 6 7 8; do
        number=$((number + 1))
        succeeds prout --reserve --param-rk=abc123 "--prout-type=$type" "$node2"
        sent "1102$(printf %08x $((number << 8)))00000000 $key$none"
        succeeds prout --release --param-rk=abc123 "--prout-type=$type" "$node2"
        sent "1502$(printf %08x $((number << 8)))00000000 $key"
    done
    succeeds prout --preempt --param-rk=abc123 --param-sark=123abc --prout-type=5 "$node1"
    sent "1101$(printf %08x 0x301)00000000 $key$other"
    succeeds prout --preempt-abort --param-rk=abc123 --param-sark=123abc --prout-type=8 "$node1"
    sent "1101$(printf %08x 0x602)00000000 $key$other"
    succeeds prout --clear --param-rk=abc123 "$node1"
    sent "15010000000100000000 $key"
}

# A target for which another type is an invalid field: the sense data of SCSI for an invalid release.
test_release_of_another_type() {
    answer_by '15 status 4002'
    prout --release --param-rk=1 --prout-type=5 "$node1" >/run/out 2>/run/err && status=0 || status=$?
    ((status == 5)) || fail "status $status: $(cat /run/err)"
    [[ ! -s /run/out && $(</run/err) = *'the reservation is not of this type'* ]] || fail "$(cat /run/out /run/err)"
}

# What NVMe does not have is refused here, and nothing is sent about it.
test_refused_unsent() {
    local arguments
    for arguments in '--register-move --param-rk=1 --param-sark=2 --relative-target-port=1 --transport-id=sas,5000c50005b32001' \
        '--replace-lost --param-rk=1 --param-sark=2' '--reserve --param-rk=1 --prout-type=2' \
        '--release --param-rk=1 --prout-type=4' '--preempt --param-rk=1 --param-sark=2 --prout-type=9' \
        '--register --param-sark=1 --transport-id=sas,5000c50005b32001' '--register --param-sark=1 --param-aptpl'; do
        # shellcheck disable=SC2086
        prout $arguments "$node1" >/run/out 2>/run/err && status=0 || status=$?
        ((status == 5 || status == 19)) || fail "$arguments: status $status"
        [[ ! -s /run/out && -s /run/err ]] || fail "$arguments: $(cat /run/out /run/err)"
    done
    no_command
}

# A controller without the log of effects: the kernel lets nobody but root send it reservation commands.
test_ordinary_user_without_effects() {
    local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    chmod 666 "$node1"
    local what
    for what in '--in --read-keys' '--out --register --param-sark=1'; do
        # shellcheck disable=SC2086
        "${nobody[@]}" sg_persist -n $what "$node1" >/run/out 2>/run/err && status=0 || status=$?
        ((status == 63)) || fail "$what: status $status: $(cat /run/err)"
        [[ ! -s /run/out && $(</run/err) = *$'\nThis NVMe command takes CAP_SYS_ADMIN: '* ]] || fail "$(cat /run/out /run/err)"
    done
    # What the kernel did not take is shown, and what it took before.
    "${nobody[@]}" sg_persist -n -v --out --register --param-sark=1 "$node1" >/run/out 2>/run/err || true
    for what in 'Identify Controller: opcode=0x06 nsid=0 cdw10=0x1 cdw11=0x0: 0x0000 Successful completion' \
        'Reservation Register: opcode=0x0d nsid=1 cdw10=0x0 cdw11=0x0 data=00000000000000000100000000000000: Permission denied (errno=13)'; do
        grep -qF "command $what" /run/err || fail "no $what: $(cat /run/err)"
    done
    no_command
    chmod 600 "$node1"
}

# Nothing that the program does writes to the namespace.
test_no_writes() {
    writes "$node1" A
    : >"$commands"
    for node in "$node1" "$generic1" "$node2"; do
        prin --read-keys "$node" >/run/out
        prin --read-reservation "$node" >/run/out
        prin --report-capabilities "$node" >/run/out
        prin --read-full-status "$node" >/run/out
        succeeds prout --register --param-sark=1 "$node"
        succeeds prout --preempt --param-rk=1 --param-sark=2 --prout-type=1 "$node"
        succeeds prout --clear --param-rk=1 "$node"
        # With standard error and output closed, the device is not what they become.
        sg_persist -n -v --out --clear --param-rk=1 "$node" >&- 2>&- || true
    done
    ! grep '^01' "$commands" || fail 'something was written'
    first_block "$node1" A
}

# lost NAME COMMAND...: nobody knows what became of the command; REASON may be any of those that the kernel has for it.
lost() {
    local way=$1 message=$2
    shift 2
    "$@" </dev/null >/run/out 2>/run/err && status=0 || status=$?
    keep "$message $* status $status: $(tr '\n' '/' </run/err)"
    ((status == 35)) || fail "$*: status $status, expected 35: $(cat /run/err)"
    [[ ! -s /run/out && $(</run/err) = "Persistent reservation $way: "*"PR $way ($message): Transport error"$'\n'"sg_persist failed: Transport error" ]] ||
        fail "$*: $(cat /run/out /run/err)"
}

is_back() {
    sg_persist -nk "$node1" >/run/out 2>&1
}

test_hanging() {
    answer_by '0e wait forever' '11 wait forever'
    lost in 'Read keys' prin --read-keys --timeout=1 "$node1"
    answer_by '11 wait forever'
    await is_back
    lost out Reserve prout --reserve --param-rk=1 --prout-type=5 --timeout=1 "$node1"
    answer_by
    await is_back
}

# One that takes its time, but less than it is given.
test_slow() {
    answer_by '0e extended 1 wait 700'
    answers 0 '  PR generation=0x7, 1 registered reservation key follows:
    0x1' '' prin --read-keys --timeout=10 "$node1"
}

test_connection_lost() {
    answer_by '0e disconnect'
    lost in 'Read keys' prin --read-keys "$node1"
    answer_by '0d disconnect'
    await is_back
    lost out Register prout --register --param-sark=1 "$node1"
    answer_by
    await is_back
}

# A controller that has gone away before the command, and in the middle of it. The last test: it does not come back.
test_gone() {
    local pid
    answer_by '0e wait forever'
    sg_persist -n --timeout=20 --read-keys "$node2" </dev/null >/run/during.out 2>/run/during.err &
    pid=$!
    await grep -q '^0e02' "$commands"
    kill "$handler"
    wait "$pid" && status=0 || status=$?
    ((status == 35)) || fail "during: status $status: $(cat /run/during.err)"
    [[ ! -s /run/during.out && -s /run/during.err ]] || fail "during: $(cat /run/during.out)"
    lost in 'Read keys' prin --read-keys "$node1"
    lost out Clear prout --clear --param-rk=1 "$node1"
}
