# shellcheck shell=bash disable=SC2154
# tools: ours
# The library as another program uses it (tools/library.rs): register, reserve, conflict, preempt, each change verified.
. "$lab/guest/tcmu.sh"

# A cluster of two nodes with a disk each, on one logical unit.
fenced() {
    load_tools
    answers 0 "0xabc123: done
0x123abc: done
0xabc123: done
0x123abc: conflict: SCSI status RESERVATION CONFLICT (0x18)
0xabc123 0x123abc (2 nexuses), held by 0xabc123
0x123abc: done
0xabc123: nothing was changed, what is there cannot be read: CHECK CONDITION: Unit Attention, Registrations preempted (sense key 6h, ASC 2Ah, ASCQ 05h)
0x123abc (1 nexuses), held by 0x123abc
0xabc123: conflict: SCSI status RESERVATION CONFLICT (0x18)
0x123abc: done
 (0 nexuses), not reserved" '' lab-tools library "$1" "$2"
}

test_library_disks() {
    fenced "$node1" "$node2"
}

test_library_generic_nodes() {
    fenced "$generic1" "$generic2"
}
