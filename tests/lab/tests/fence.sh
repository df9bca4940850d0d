# shellcheck shell=bash disable=SC2154,SC2034
# fence_scsi as Debian has it, at two nodes: a cluster's way to keep a node that is not to be trusted from the disk.
# needs: iscsid:open-iscsi fence_scsi:fence-agents sg_turs:sg3-utils
. "$lab/guest/iscsi.sh"
. "$lab/guest/fence.sh"

# (Each scenario makes its own.)
prepare() { :; }

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

test_fence_scsi() { both fencing; }
