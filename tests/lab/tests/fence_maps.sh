# shellcheck shell=bash disable=SC2154,SC2034
# fence_scsi, of Debian's package as it is, on the maps of two nodes: as it takes a map (each of its paths by itself, and the
# map for the rest), and as newer ones do with their method "single" (the map alone). Here it is made to by a node of the map
# whose name does not begin with dm.
# needs: iscsid:open-iscsi dmsetup:dmsetup fence_scsi:fence-agents sg_turs:sg3-utils
# machines: 2
. "$lab/guest/two_nodes.sh"

prepare() {
    two_nodes 2
    take_over
    b bash -c "$(declare -f take_over); take_over"
}

# The program in its usual place, and files for what the agent remembers.
take_over() {
    cp /run/bin/sg_persist /usr/bin/sg_persist
    rm -f /var/run/cluster.key /var/run/cluster.dev
    touch /var/run/cluster.key /var/run/cluster.dev
}

# alone MAP: makes a node of the map under another name; its name.
alone() {
    local number
    number=$(stat -L -c '%Hr %Lr' "$1")
    rm -f /dev/alone
    # shellcheck disable=SC2086
    mknod /dev/alone b $number
    echo /dev/alone
}

# agent NODE STATUS ACTION KEY: fence_scsi on that node ends so.
agent() {
    local device=$map status begin end
    [[ $1 = a ]] || device=$map_b
    begin=${EPOCHREALTIME/./}
    "$1" fence_scsi -v --logfile=/run/fence.log -o "$3" -k "$4" -d "$device" </dev/null >/run/agent 2>&1 && status=0 ||
        status=$?
    end=${EPOCHREALTIME/./}
    keep "fence_scsi $3 at node $1: status $status after $(((end - begin) / 1000)) ms"
    ((status == $2)) || fail "node $1: $3 -k $4: status $status, expected $2: $(cat /run/agent), $(state)"
}

# watched NODE STATUS: the script for the watchdog.
watched() {
    local status begin end
    begin=${EPOCHREALTIME/./}
    "$1" /usr/share/cluster/fence_scsi_check </dev/null >/run/agent 2>&1 && status=0 || status=$?
    end=${EPOCHREALTIME/./}
    keep "fence_scsi_check at node $1: status $status after $(((end - begin) / 1000)) ms"
    ((status == $2)) || fail "watchdog at node $1: status $status, expected $2: $(cat /run/agent)"
    ((end - begin < 5000000)) || fail "watchdog at node $1: after $(((end - begin) / 1000)) ms"
}

registrants='~Write Exclusive, registrants only'

fencing() {
    agent a 0 on a1
    agent b 0 on b2
    is "a1:a1* a2:a1 b1:b2 b2:b2 $registrants"
    # Once more: nothing is lost by it.
    agent a 0 on a1
    [[ $(state) = *'a1:a1'*'a2:a1'*'b1:b2 b2:b2 '* ]] || fail "$(state)"
    agent a 0 status a1
    watched a 0
    watched b 0
    agent a 0 off b2
    [[ $(state) = 'a1:a1'*'a2:a1'*" $registrants " && $(state) != *b2* ]] || fail "$(state)"
    writes "$map" A || fail "the node that fenced cannot write: $(cat /run/err)"
    ! second "writes $map_b B" || fail 'the fenced node can write'
    watched a 0
    watched b 2
    agent b 0 on b2
    second "writes $map_b B" || fail 'the node that came back cannot write'
    watched b 0
    # With a path dead.
    dies "${paths[0]}"
    watched a 0
    agent a 0 off b2
    [[ $(state) = *'a2:a1'* && $(state) != *b2* ]] || fail "$(state)"
    writes "$map" A || fail "the node that fenced cannot write: $(cat /run/err)"
    lives "${paths[0]}"
    ! second "writes $map_b B" || fail 'the fenced node can write'
}

test_each_path() {
    fencing
}

test_the_map_alone() {
    map=$(alone "$map")
    map_b=$(b bash -c "$(declare -f alone); alone $map_b")
    fencing
}
