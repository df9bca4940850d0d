# shellcheck shell=bash disable=SC2154
# What is no device, or none that answers: message, status, and nothing on standard output that looks like an answer.

nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# The line that an INQUIRY without answer leaves on standard output, and nothing after it.
no_inquiry() {
    printf 'sg_persist: SCSI INQUIRY failed on %s' "$1"
}

test_no_such_device() {
    answers 52 '' 'sg_persist: error opening file (ro): /dev/nowhere: No such file or directory' \
        sg_persist --in --read-keys /dev/nowhere
    answers 52 '' 'sg_persist: error opening file (ro): /dev/nowhere: No such file or directory' \
        sg_persist --out --register --param-sark=1 /dev/nowhere
    answers 52 '' 'sg_persist: error opening file /dev/nowhere (ro): No such file or directory' \
        prin --read-keys /dev/nowhere
    answers 52 '' 'sg_persist: error opening file /dev/nowhere (rw): No such file or directory' \
        prout --register --param-sark=1 /dev/nowhere
}

# What the program says in addition: which way would work.
may_open="Opening it takes permission to read and write the device node (and in a container also its device cgroup): run this as root, or as a user who has it"
may_send="The kernel keeps this command for those with CAP_SYS_RAWIO: run this as root (in a container: with that capability), or use the device's /dev/sgN where it may be written"

test_no_permission_for_the_node() {
    chmod 600 "$node1"
    answers 63 '' "sg_persist: error opening file (ro): $node1: Permission denied
$may_open" \
        nobody sg_persist --in --read-keys "$node1"
    answers 63 '' "sg_persist: error opening file $node1 (ro): Permission denied
$may_open" \
        nobody sg_persist -n --in --read-keys "$node1"
    answers 63 '' "sg_persist: error opening file $node1 (rw): Permission denied
$may_open" \
        nobody sg_persist -n --out --register --param-sark=1 "$node1"
}

test_no_permission_for_the_command() {
    chmod 666 "$node1"
    answers 51 '' "Persistent reservation in: pass-through os error: Operation not permitted
PR in (Read keys): Operation not permitted
sg_persist failed: Operation not permitted
$may_send" nobody sg_persist -n --in --read-keys "$node1"
    answers 51 '' "Persistent reservation out: pass-through os error: Operation not permitted
PR out (Register): Operation not permitted
sg_persist failed: Operation not permitted
$may_send" nobody sg_persist -n --out --register --param-sark=1 "$node1"
    chmod 600 "$node1"
    holds "$node1" 0
}

# Neither a file nor a device of another kind takes SCSI commands.
not_scsi() {
    answers 75 "$(no_inquiry "$1")" 'inquiry: pass-through os error: Inappropriate ioctl for device' \
        sg_persist --in --read-keys "$1"
    answers 75 "$(no_inquiry "$1")" 'inquiry: pass-through os error: Inappropriate ioctl for device' \
        sg_persist --out --clear --param-rk=1 "$1"
    answers 75 '' 'Persistent reservation in: pass-through os error: Inappropriate ioctl for device
PR in (Read reservation): Inappropriate ioctl for device
sg_persist failed: Inappropriate ioctl for device' prin --read-reservation "$1"
    answers 75 '' 'Persistent reservation out: pass-through os error: Inappropriate ioctl for device
PR out (Clear): Inappropriate ioctl for device
sg_persist failed: Inappropriate ioctl for device' prout --clear --param-rk=1 "$1"
}

test_regular_file() {
    echo 'a file of some bytes' >/run/file
    not_scsi /run/file
    same 'the file' 'a file of some bytes' /run/file || exit 1
}

test_null_device() {
    not_scsi /dev/null
}

test_directory() {
    # It can be opened for reading, not for writing.
    answers 75 '' 'Persistent reservation in: pass-through os error: Inappropriate ioctl for device
PR in (Read keys): Inappropriate ioctl for device
sg_persist failed: Inappropriate ioctl for device' prin --read-keys /run
    answers 71 '' 'sg_persist: error opening file /run (rw): Is a directory' prout --clear --param-rk=1 /run
}

test_offline_block_device() {
    echo offline >"/sys/class/scsi_device/$address1/device/state"
    answers 56 '' "sg_persist: error opening file (ro): $node1: No such device or address" \
        sg_persist --in --read-keys "$node1"
    answers 56 '' "sg_persist: error opening file $node1 (ro): No such device or address" \
        prin --read-keys "$node1"
    answers 56 '' "sg_persist: error opening file $node1 (rw): No such device or address" \
        prout --register --param-sark=1 "$node1"
}

test_offline_generic_device() {
    echo offline >"/sys/class/scsi_device/$address1/device/state"
    answers 2 "$(no_inquiry "$generic1")" '' sg_persist --in --read-keys "$generic1"
    answers 2 '' 'PR in (Read keys): Device not ready
sg_persist failed: Device not ready' prin --read-keys "$generic1"
    answers 2 '' 'PR out (Register): Device not ready
sg_persist failed: Device not ready' prout --register --param-sark=1 "$generic1"
}

# A path that is gone: the command is not answered by the target, but by the kernel on its behalf.
test_dead_path() {
    local transport='transport: Host_status=0x0e [DID_TRANSPORT_DISRUPTED]'
    succeeds prout --register --param-sark=abc123 "$node1"
    echo offline >"$config/loopback/$port1/tpgt_1/transport_status"
    answers 35 "$(no_inquiry "$node1")" "inquiry: $transport
" sg_persist --in --read-keys "$node1"
    answers 35 '' "Persistent reservation in: $transport

PR in (Read keys): Transport error
sg_persist failed: Transport error" prin --read-keys "$node1"
    answers 35 '' "Persistent reservation out: $transport

PR out (Clear): Transport error
sg_persist failed: Transport error" prout --clear --param-rk=abc123 "$node1"
    holds "$node2" 1 abc123
}
