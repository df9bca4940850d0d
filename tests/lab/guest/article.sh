# shellcheck shell=bash disable=SC2154
# The walk of the guide that people follow for SCSI reservations on a disk shared by two nodes, to the letter: an iSCSI
# disk of the tgt target, and a file system on it. Sourced in the guest, after tgt.sh.

# How node 2 is reached where it is not this machine.
at_node2=()

identity='  IET       VIRTUAL-DISK      0001
  Peripheral device type: disk'

# A disk with a partition table, one partition, and a file system in it. Made before the nodes come.
with_file_system() {
    image=$(mktemp -p /run)
    truncate -s 32M "$image"
    echo 'start=2048, type=83' | sfdisk --quiet --label dos "$image"
    mkfs.ext3 -q -F -E offset=1048576 "$image" 30M
}

# What a step answers, as the guide shows it: with the INQUIRY's lines.
step_1() {
    answers 0 "$identity
  PR generation=0x0, there are NO registered reservation keys" \
        '>> No service action given; assume Persistent Reserve In command
>> with Read Keys service action' sg_persist "$node1"
}

step_2() {
    answers 0 "$identity" '' sg_persist --out --register --param-sark=abc123 "$node1"
    answers 0 "$identity" '' "${at_node2[@]}" sg_persist --out --register --param-sark=123abc "$node2"
    answers 0 "$identity
  PR generation=0x2, 2 registered reservation keys follow:
    0xabc123
    0x123abc" '>> No service action given; assume Persistent Reserve In command
>> with Read Keys service action' sg_persist "$node1"
}

# step_3 TYPE WORDS
step_3() {
    answers 0 "$identity" '' sg_persist --out --reserve --param-rk=abc123 "--prout-type=$1" "$node1"
    local wanted="$identity
  PR generation=0x2, Reservation follows:
    Key=0x${3-abc123}
    scope: LU_SCOPE,  type: $2"
    answers 0 "$wanted" '' sg_persist -r "$node1"
    answers 0 "$wanted" '' "${at_node2[@]}" sg_persist -r "$node2"
}

# step_5 TYPE
step_5() {
    answers 0 "$identity" '' sg_persist --out --release --param-rk=abc123 "--prout-type=$1" "$node1"
    # This target tells of the release whoever released, too, where the reservation was its alone: once, in place of the
    # next command's answer.
    case $1 in
    1 | 3)
        answers 6 "$identity" 'Persistent reservation out:
Fixed format, current; Sense key: Unit Attention
Additional sense: Reservations released
PR out (Register): Unit attention
sg_persist failed: Unit attention
The reservation has been released: look at the keys and the reservation before going on' sg_persist --out --register --param-rk=abc123 "$node1"
        ;;
    esac
    answers 0 "$identity" '' sg_persist --out --register --param-rk=abc123 "$node1"
}

walk() {
    step_1
    step_2
    step_3 "$@"
    step_5 "$1"
    # What is left: the other node's registration, which it takes away as well.
    answers 0 "$identity
  PR generation=0x3, there is NO reservation held" '' "${at_node2[@]}" sg_persist -r "$node2"
    answers 0 "$identity" '' "${at_node2[@]}" sg_persist --out --register --param-rk=123abc "$node2"
    answers 0 "$identity
  PR generation=0x4, there are NO registered reservation keys" '' sg_persist -k "$node1"
}

# The file system on the disk's partition: node 1 has it to itself.
file_system_walk() {
    local refusal major minor
    mkdir -p /run/mnt1
    "${at_node2[@]}" mkdir -p /run/mnt2
    step_1
    step_2
    step_3 3 'Exclusive Access'
    mount -t ext3 "${node1}1" /run/mnt1 || fail 'node 1 cannot mount'
    echo 'written by node 1' >/run/mnt1/file
    umount /run/mnt1
    "${at_node2[@]}" dmesg -C
    ! "${at_node2[@]}" mount -t ext3 "${node2}1" /run/mnt2 2>/run/err || fail 'node 2 can mount'
    # The block layer's word for it; it has another one since Linux 6.4.
    refusal='critical nexus error'
    IFS=. read -r major minor _ <<<"$(uname -r)"
    ((major < 6 || (major == 6 && minor < 4))) || refusal='reservation conflict error'
    # Why, is in the kernel's log: the disk refused, the block layer passes it on, the file system has no superblock.
    "${at_node2[@]}" dmesg -t >/run/log
    grep -qx "sd $address2: reservation conflict" /run/log || fail "no conflict: $(cat /run/log)"
    grep -q "^$refusal, dev ${node2#/dev/}, sector [0-9]* op 0x0:(READ) " /run/log ||
        fail "no refusal: $(cat /run/log)"
    grep -qx "EXT4-fs (${node2#/dev/}1): unable to read superblock" /run/log || fail "another reason: $(cat /run/log)"
    step_5 3
    "${at_node2[@]}" mount -t ext3 "${node2}1" /run/mnt2 || fail 'node 2 cannot mount after the release'
    answers 0 'written by node 1' '' "${at_node2[@]}" cat /run/mnt2/file
    "${at_node2[@]}" umount /run/mnt2
}
