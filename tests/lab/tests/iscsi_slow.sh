# shellcheck shell=bash disable=SC2154
# PREEMPT AND ABORT while a command of the victim is under way: a disk that takes three seconds for each write.
# needs: iscsid:open-iscsi dmsetup:dmsetup losetup:mount
. "$lab/guest/iscsi.sh"

# A store on a slow disk; sets store.
make_slow_store() {
    local image=/run/slow.img loop
    modprobe -a loop dm_mod dm_delay
    load_target target_core_iblock
    truncate -s 16M "$image"
    loop=$(losetup --find --show "$image")
    dmsetup --noudevsync create slow --table "0 32768 delay $loop 0 0 $loop 0 3000"
    store=$config/core/iblock_0/lab
    store_number=0
    mkdir -p "$store"
    echo "udev_path=/dev/dm-0" >"$store/control"
    echo 00000000000000ff >"$store/wwn/vpd_unit_serial"
    echo 1 >"$store/enable"
}

prepare() {
    local host disk generic bsg address session initiator
    load_initiator
    make_slow_store
    new_target
    make_port 1 && offer 1 0 && open_port 1
    for host in 1 2; do
        log_in "$host" 1 && disk_of 0
        printf -v "node$host" %s "$disk"
    done
}

under_way() {
    local count
    read -r _ count <"/sys/block/${node1#/dev/}/inflight"
    ((count > 0))
}

test_preempt_and_abort_a_command() {
    local writer status reads_left writes_left
    succeeds prout --register --param-sark=a1 "$node1"
    succeeds prout --register --param-sark=b2 "$node2"
    succeeds prout --reserve --param-rk=a1 --prout-type=3 "$node1"
    printf '%4096s' '' | tr ' ' A >/run/letters
    dd if=/run/letters of="$node1" oflag=direct bs=4096 count=1 status=none 2>/run/err.writer &
    writer=$!
    await under_way
    succeeds prout --preempt-abort --param-rk=b2 --param-sark=a1 --prout-type=3 "$node2"
    # It was answered, so nothing of the victim is under way any more, least of all to the disk itself.
    read -r reads_left writes_left </sys/block/dm-0/inflight
    ((reads_left + writes_left == 0)) || fail 'the write is still under way to the disk'
    holds "$node2" 3 b2
    reserved "$node2" 3 b2 'Exclusive Access'
    # The victim's kernel sent it again, and was told why it must not; what is to be told once has been told with that.
    wait "$writer" && status=0 || status=$?
    ((status == 1)) || fail "the writer ended with status $status"
    same 'what the writer said' "dd: error writing '$node1': Invalid exchange" /run/err.writer || exit 1
    holds "$node1" 3 b2
    writes "$node2" B || fail 'the new holder cannot write'
    first_block "$node2" B
    ! reads "$node1" || fail 'the victim can read'
}
