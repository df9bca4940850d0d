# shellcheck shell=bash disable=SC2154,SC2034
# The article's walk (guest/article.sh) on two machines with a network between them: one has the target and is node 1, the
# other one is node 2. Two kernels, two initiators, and nothing shared but the disk.
# needs: tgtd:tgt iscsistart:open-iscsi sfdisk:fdisk mkfs.ext3:e2fsprogs
# machines: 2
. "$lab/guest/tgt.sh"
. "$lab/guest/network.sh"
. "$lab/guest/article.sh"

prepare() {
    local image
    load_network
    with_file_system
    load_tgt
    tgt_unit "$image"
    log_in host1 "$first_address"
    node1=$disk
    # The second machine says how the disk is called there.
    on_second bash -c ". $(printf %q "$lab/guest/target.sh"); . $(printf %q "$lab/guest/tgt.sh"); target=$target
        load_iscsi_initiator && log_in host2 $first_address && echo \$disk \${bsg#/dev/bsg/}" >/run/disk2
    read -r node2 address2 </run/disk2
    at_node2=(on_second)
}

test_article() { file_system_walk; }

# What one machine may not, while the other one holds the disk, and what it may afterwards.
test_reading_and_writing() {
    step_2
    step_3 3 'Exclusive Access'
    answers 1 '' "dd: error reading '$node2': Invalid exchange
0+0 records in
0+0 records out" on_second dd "if=$node2" of=/dev/null iflag=direct bs=4096 count=1 status=noxfer
    answers 24 "$identity" 'PR out (Reserve): Reservation conflict
sg_persist failed: Reservation conflict' on_second sg_persist --out --reserve --param-rk=123abc --prout-type=3 "$node2"
    # Taken over by the other machine: the first one is locked out, and hears why.
    answers 0 "$identity" '' on_second sg_persist --out --preempt --param-rk=123abc --param-sark=abc123 --prout-type=3 \
        "$node2"
    answers 6 "$identity" 'Persistent reservation in:
Fixed format, current; Sense key: Unit Attention
Additional sense: Reservations preempted
PR in (Read keys): Unit attention
sg_persist failed: Unit attention
Another node has cleared or preempted this node'\''s registration or reservation: look at the keys and the reservation before going on' sg_persist -k "$node1"
    answers 0 "$identity
  PR generation=0x3, 1 registered reservation key follows:
    0x123abc" '' sg_persist -k "$node1"
    ! reads "$node1" || fail 'the first machine can read'
    answers 0 '' '1+0 records in
1+0 records out' on_second dd "if=$node2" of=/dev/null iflag=direct bs=4096 count=1 status=noxfer
}
