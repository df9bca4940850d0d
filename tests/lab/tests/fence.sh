# shellcheck shell=bash disable=SC2154,SC2034
# fence_scsi as Debian has it, at two nodes: a cluster's way to keep a node that is not to be trusted from the disk.
# needs: iscsid:open-iscsi fence_scsi:fence-agents sg_turs:sg3-utils
. "$lab/guest/iscsi.sh"
. "$lab/guest/fence.sh"

# (Each scenario makes its own.)
prepare() { :; }

test_fence_scsi() { both fencing; }
