# shellcheck shell=bash disable=SC2154
# needs: dmsetup:dmsetup iscsid:open-iscsi
# tools: ours
# --deadline: a run ends in time, whatever the kernel does with its command, and nothing of it is in its caller's way.
. "$lab/guest/tcmu.sh"
. "$lab/guest/iscsi.sh"

# The target waits for the program for ever, and so does the kernel's error handling for the target.
patience=0

# ends_in_time SECONDS STATUS COMMAND...: ends with that status, and at most a second after so many; sets $out.
ends_in_time() {
    local deadline=$1 wanted=$2 begin end
    shift 2
    begin=${EPOCHREALTIME/./}
    # As scripts call it: the output is waited for to its end.
    out=$("$@" 2>/run/err </dev/null) && status=0 || status=$?
    end=${EPOCHREALTIME/./}
    keep "deadline $deadline s: ended after $(((end - begin) / 1000)) ms, status $status: $*"
    ((status == wanted)) || fail "status $status: $(cat /run/err)"
    [[ -z $out ]] || fail "an answer: $out"
    # (The emulated processor takes its time to start a program.)
    ((end - begin < (deadline + 1) * 1000000)) || fail "after $(((end - begin) / 1000)) ms"
}

silent_unit() {
    export_scripted
    answer_by '12 data 00 00 06 02 1f 00*2 02 4c41422020202020 4f4e45 20*13 312e3020' '5e keys 2 wait 30000' '5f wait 30000'
}

test_a_silent_device() {
    silent_unit
    ends_in_time 2 33 sg_persist --deadline=2 -n -k "$disk"
    grep -q 'there is no answer' /run/err || fail "$(cat /run/err)"
    ends_in_time 1 33 sg_persist --deadline=1 -n -o -C -K 1 "$generic"
    grep -q 'was at the device; its outcome is unknown' /run/err || grep -q 'before a command' /run/err ||
        fail "$(cat /run/err)"
    # Under timeout(1), which waits for its child alone.
    ends_in_time 2 33 timeout 20 sg_persist --deadline=1.5 --timeout=1 -n -k "$disk"
}

# A map that keeps what it cannot send, and whose paths are all gone.
test_a_map_without_a_path() {
    load_target tcm_loop
    modprobe -a dm_multipath dm_round_robin
    export_lun
    local sectors map
    sectors=$(blockdev --getsz "$node1")
    dmsetup create queues --uuid mpath-queues --table "0 $sectors multipath 1 queue_if_no_path 0 1 1 round-robin 0 2 1 $(
        cat "/sys/class/block/${node1##*/}/dev") 1 $(cat "/sys/class/block/${node2##*/}/dev") 1"
    map=/dev/mapper/queues
    [[ -e $map ]] || { mkdir -p /dev/mapper && ln -s /dev/dm-0 "$map"; }
    dmsetup message queues 0 "fail_path $(cat "/sys/class/block/${node1##*/}/dev")"
    dmsetup message queues 0 "fail_path $(cat "/sys/class/block/${node2##*/}/dev")"
    # Failed for the device mapper alone: its paths still answer.
    [[ $(sg_persist -n -k "$map") = *'NO registered'* ]] || fail 'no answer'
    # Through the map itself the kernel looks for a path for ever.
    ends_in_time 2 33 sg_persist --deadline=2 --one-path -n -k "$map"
    echo offline >"/sys/class/scsi_device/$address1/device/state"
    echo offline >"/sys/class/scsi_device/$address2/device/state"
    ends_in_time 5 35 sg_persist --deadline=5 -n -k "$map"
}

iscsi_unit() {
    export_lun_iscsi
    succeeds prout --register --param-sark=abc "$node1"
}

# The network is cut: the session waits for it to come back, and commands wait with it.
test_a_session_without_a_network() {
    iscsi_unit
    /run/busybox ip link set lo down
    ends_in_time 2 33 sg_persist --deadline=2 -n -k "$node1"
    ends_in_time 2 33 sg_persist --deadline=2 --timeout=1 -n -k "$node1"
    ends_in_time 1 33 sg_persist --deadline=1 -n -o -C -K abc "$node1"
    /run/busybox ip link set lo up
}

# The target has stopped to answer.
test_a_session_whose_target_stopped() {
    iscsi_unit
    echo 0 >"$config/iscsi/$target/tpgt_1/enable"
    ends_in_time 2 33 sg_persist --deadline=2 -n -k "$node1"
    ends_in_time 2 33 sg_persist --deadline=2 --timeout=1 -n -k "$node1"
}
