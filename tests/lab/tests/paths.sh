# shellcheck shell=bash disable=SC2154
# tools: ours
# Paths that die before, between and during commands: never status 0 with an answer that the device did not give.
. "$lab/guest/tcmu.sh"

prepare() {
    export_scripted
    : >"$commands"
}

# What INQUIRY brings, so that a rule can make it slow, and the lines it is shown in.
inquiry='data 00 00 06 02 1f 00*2 02 4c41422020202020 4f4e45 20*13 312e3020'
identity='  LAB       ONE               1.0 
  Peripheral device type: disk'
keys='  PR generation=0x7, 2 registered reservation keys follow:
    0x1
    0x2'

offline() {
    echo offline >"/sys/class/scsi_device/$address/device/state"
}

# Waits for commands under way, so it is not waited for.
deleted() {
    echo 1 >"/sys/class/scsi_device/$address/device/delete" &
}

unlinked() {
    rm "$lun/lab" &
}

# A device that takes its time for the command, or for the INQUIRY before it.
slow() {
    case $1 in
    before) answer_by "12 $inquiry" '5e keys 2' '5f' ;;
    between) answer_by "12 $inquiry wait 800" '5e keys 2' '5f' ;;
    during) answer_by "12 $inquiry" '5e keys 2 wait 800' '5f wait 800' ;;
    esac
}

# Whether the slow command has come to the device.
at_device() {
    case $1 in
    between) grep -q '^12' "$commands" ;;
    during) grep -q '^5[ef]' "$commands" ;;
    esac
}

# dies WHEN HOW NODE COMMAND...: runs the command while that happens to the path; sets $status.
dies() {
    local when=$1 how=$2 pid
    shift 2
    slow "$when"
    if [[ $when = before ]]; then
        "$how"
        # (What goes on in the background.)
        sleep 0.3
    fi
    sg_persist --timeout=10 "$@" </dev/null >/run/out 2>/run/err &
    pid=$!
    if [[ $when != before ]]; then
        await at_device "$when"
        "$how"
    fi
    wait "$pid" && status=0 || status=$?
}

# What a command that reads may have said: all of the answer with status 0, or no more than whose it would have been.
honest() {
    local out
    IFS= read -r -d '' out </run/out || true
    keep "$* status $status: ${out//$'\n'/ / } | $(tr '\n' '/' </run/err)"
    case $status in
    0)
        # The answer was given: the command was among those that came to the device.
        grep -q '^5e' "$commands" || fail "$*: an answer to a command that was not sent"
        [[ $out = "$identity"$'\n'"$keys"$'\n' ]] || fail "$*: $out"
        ;;
    *)
        [[ -z $out || $out = "$identity"$'\n' || $out = "sg_persist: SCSI INQUIRY failed on "* ]] || fail "$*: $out"
        [[ -s /run/err || $out = *failed* ]] || fail "$*: status $status without a word"
        ;;
    esac
}

# The same for a command that changes something.
honest_change() {
    local out
    IFS= read -r -d '' out </run/out || true
    keep "$* status $status: ${out//$'\n'/ / } | $(tr '\n' '/' </run/err)"
    if ((status == 0)); then
        grep -q '^5f' "$commands" || fail "$*: success of a command that was not sent"
        [[ $out = "$identity"$'\n' && ! -s /run/err ]] || fail "$*: $out"
    else
        [[ -z $out || $out = "$identity"$'\n' || $out = "sg_persist: SCSI INQUIRY failed on "* ]] || fail "$*: $out"
        [[ -s /run/err || $out = *failed* ]] || fail "$*: status $status without a word"
    fi
}

# Each has a device of its own: it is of no use afterwards.
dying() {
    local when=$1 how=$2
    dies "$when" "$how" -k "$disk"
    honest READ "$when" "$how" disk
    prepare
    dies "$when" "$how" -k "$generic"
    honest READ "$when" "$how" generic
    prepare
    dies "$when" "$how" -o -C -K 1 "$disk"
    honest_change CLEAR "$when" "$how" disk
    # Gone before or between: nothing was carried out.
    [[ $when = during ]] || ((status != 0)) || fail 'success without a device'
}

test_offline_before() { dying before offline; }
test_offline_between() { dying between offline; }
test_offline_during() { dying during offline; }
test_deleted_before() { dying before deleted; }
test_deleted_between() { dying between deleted; }
test_deleted_during() { dying during deleted; }
test_unlinked_before() { dying before unlinked; }
test_unlinked_between() { dying between unlinked; }
test_unlinked_during() { dying during unlinked; }

# Another disk in the place of the first, with another name and other keys.
other_disk() {
    rules=/run/rules.other
    make_scripted
    answer_by '12 data 00 00 06 02 1f 00*2 02 4c41422020202020 54574f 20*13 312e3020' '5e keys 3'
}

swap() {
    rm "$lun/lab"
    ln -s "$scripted" "$lun/"
}

others='  LAB       TWO               1.0 
  Peripheral device type: disk
  PR generation=0x7, 3 registered reservation keys follow:
    0x1
    0x2
    0x3'

# Nothing that the first disk said is told of the second.
test_another_disk_before() {
    local out tries
    slow before
    answers 0 "$identity"$'\n'"$keys" '' sg_persist -k "$disk"
    other_disk
    swap
    # The target tells once that something has changed.
    for tries in 1 2 3; do
        sg_persist -k "$disk" >/run/out 2>/run/err && status=0 || status=$?
        ((status != 0)) || break
        [[ $(</run/out) != *0x1* ]] || fail "an answer with status $status"
    done
    keep "another disk before: status $status at try $tries"
    same 'standard output' "$others" /run/out || exit 1
}

# Between INQUIRY and the command the program stands still until the disk is another one.
test_another_disk_between() {
    local pid out node
    for node in disk generic; do
        slow between
        sg_persist -k "${!node}" >/run/out 2>/run/err &
        pid=$!
        await at_device between
        kill -STOP "$pid"
        other_disk
        sleep 1
        swap
        kill -CONT "$pid"
        wait "$pid" && status=0 || status=$?
        keep "another disk between, $node: status $status: $(tr '\n' '/' </run/out) | $(tr '\n' '/' </run/err)"
        # The identity of the one with the keys of the other would be an answer that no device gave.
        out=$(</run/out)
        [[ $out != *ONE*0x3* ]] || fail "$node: $out"
        rules=/run/rules
        : >"$rules"
        prepare
    done
}
