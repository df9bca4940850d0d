# shellcheck shell=bash disable=SC2154,SC2034
# fence_scsi with what can be asked of it in addition: not to open the disk for writing where it only reads, and to have
# the registrations persist.
# needs: iscsid:open-iscsi fence_scsi:fence-agents sg_turs:sg3-utils
. "$lab/guest/iscsi.sh"
. "$lab/guest/fence.sh"

prepare() { :; }

read_only_and_persistent() {
    local options=(--readonly --aptpl)
    does 1 0 on -k a1
    does 2 0 on -k b2
    registered "$node1" a1 b2
    answers 0 ' 00     00 08 1d 91 ea 01 00 00' '' prin --report-capabilities --hex "$node1"
    does 2 0 status -k b2
    does 1 0 off -k b2
    registered "$node1" a1
    does 2 0 on -k b2
    registered "$node1" a1 b2
}

test_readonly_and_aptpl() { both read_only_and_persistent; }
