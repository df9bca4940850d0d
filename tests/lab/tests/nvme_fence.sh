# shellcheck shell=bash disable=SC2154,SC2034
# fence_scsi as Debian has it, at two hosts of one NVMe namespace. It knows nothing of NVMe; sg_persist does.
# targets: nvmet-loop
# needs: fence_scsi:fence-agents sg_turs:sg3-utils
. "$lab/guest/fence.sh"

test_fence_scsi() {
    used=$ours state=/run/state. record=/run/record
    : >"$record"
    fencing
    without_complaints 'on NVMe'
    # The commands that it has always used.
    grep -q "$ours -n -o -R -T 5" "$record" || fail "no reservation in the log: $(grep -o "$ours.*" "$record")"
    grep -q "$ours -n -o -A -T 5" "$record" || fail "no preempt and abort in the log: $(grep -o "$ours.*" "$record")"
}
