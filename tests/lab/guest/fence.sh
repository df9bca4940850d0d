# shellcheck shell=bash disable=SC2154
# fence_scsi, of Debian's package as it is, with one sg_persist and the other. Sourced in the guest, after iscsi.sh and
# check.sh.

original=/usr/bin/sg_persist
ours=/run/bin/sg_persist

# at NODE COMMAND...: as on that node. It has files of its own for what fence_scsi remembers (its key, its disks), and the
# program in question is in its usual place, for the script that is told no other.
at() {
    touch "$state$1.key" "$state$1.dev" /var/run/cluster.key /var/run/cluster.dev
    # shellcheck disable=SC2016
    unshare --mount bash -c '
        mount --bind "$0$1.key" /var/run/cluster.key && mount --bind "$0$1.dev" /var/run/cluster.dev || exit 99
        [[ $2 = /usr/bin/sg_persist ]] || mount --bind "$2" /usr/bin/sg_persist || exit 99
        shift 2
        exec "$@"' "$state" "$1" "$used" "${@:2}"
}

# What differs between two runs without meaning anything: the time, the disk's names, the program's path and version,
# the port's number and those of the initiators' sessions.
without_names() {
    sed -e 's/^[0-9]*-[0-9]*-[0-9]* [0-9:,]* //' -e "s!$used!PROGRAM!g" -e "s!$node1!NODE1!g; s!$node2!NODE2!g" \
        -e 's/ *version: .*/ version: V/' -e "s/Relative port address: 0x$relative$/Relative port address: PORT/" -e 's/,i,0x00023d.*/,i,ISID/' -e 's/[[:space:]]*$//' -e '/^$/d'
}

# does NODE STATUS ACTION ARGUMENT...: fence_scsi's action at that node has this status; into the record goes all that it
# said, wordy as it can be, its log, and what the disk says afterwards.
does() {
    local node=$1 wanted=$2 status device=node$1
    shift 2
    # (What it says is in the log.)
    at "$node" fence_scsi "--sg_persist-path=$used" -v "--logfile=/run/fence.log" -o "$@" "${options[@]}" \
        -d "${!device}" </dev/null >/run/said.fence 2>&1 && status=0 || status=$?
    {
        echo "node $node: $* ${options[*]}: status $status"
        cat /run/said.fence
        # Asked by the same program in both runs, and at this node: it is not the one that has to be told something.
        "$ours" -n --in --read-full-status "${!device}"
    } >>"$record"
    ((status == wanted)) || fail "node $node: $*: status $status, expected $wanted: $(cat /run/said.fence)"
}

# watches NODE STATUS: the script for the watchdog.
watches() {
    local status
    at "$1" /usr/share/cluster/fence_scsi_check </dev/null >/run/said.fence 2>&1 && status=0 || status=$?
    {
        echo "node $1: watchdog: status $status"
        cat /run/said.fence
    } >>"$record"
    ((status == $2)) || fail "watchdog at node $1: status $status, expected $2: $(cat /run/said.fence)"
}

# The log, and what fence_scsi complains of in it where it cannot make sense of an answer, or of a failure.
without_complaints() {
    [[ ! -e /run/fence.log ]] || cat /run/fence.log >>"$record"
    ! grep -iE 'traceback|cannot get|failed to|unable to|unexpected' "$record" || fail "$1: see above"
}

# scenario NAME PROGRAM SCRIPT: carries the script out with that program; the record is /run/record.NAME.
scenario() {
    local used=$2 state=/run/state.$1.
    record=/run/record.$1
    : >"$record"
    rm -f /run/fence.log
    export_lun_iscsi
    "$3"
    without_complaints "$1"
    without_names <"$record" >"$record.plain"
}

# both SCRIPT: with the original first, then with ours; everything said, logged and left on the disk is the same.
both() {
    scenario original "$original" "$1"
    scenario ours "$ours" "$1"
    cmp -s /run/record.original.plain /run/record.ours.plain && return
    diff -U 3 /run/record.original.plain /run/record.ours.plain
    fail 'with ours (+) it is not as with the original (-)'
}

# registered DEVICE KEY...: these keys are on the disk, the first one holds the reservation.
registered() {
    local device=$1 keys held
    shift
    keys=$("$ours" -n --in --read-keys "$device" | sed -n 's/^    0x//p')
    [[ $keys = "$(printf '%s\n' "$@")" ]] || fail "registered: ${keys//$'\n'/ }, expected: $*"
    held=$("$ours" -n --in --read-reservation "$device")
    [[ $held = *"
    Key=0x$1
    scope: LU_SCOPE,  type: Write Exclusive, registrants only" ]] || fail "reservation: $held, expected: $1"
}

# Two nodes of a cluster, fencing one another.
fencing() {
    local options=()
    # Both join; each finds itself, and nobody else's key.
    does 1 0 on -k a1
    does 2 0 on -k b2
    registered "$node1" a1 b2
    does 1 0 status -k a1
    does 2 2 status -k c3
    does 1 0 monitor -k a1
    watches 2 0
    # The first throws the second out, who can find out, and cannot write.
    does 1 0 off -k b2
    registered "$node1" a1
    does 1 2 status -k b2
    watches 2 2
    ! writes "$node2" X || fail 'the fenced node can write'
    writes "$node1" A
    # It comes back.
    does 2 0 on -k b2
    registered "$node1" a1 b2
    watches 2 0
    writes "$node2" B || fail 'the node that came back cannot write'
    # It throws out the first, who had the reservation.
    does 2 0 off -k a1
    registered "$node2" b2
}
