# shellcheck shell=bash disable=SC2154,SC2034
# Two nodes with two paths each to one logical unit over iSCSI, where the target tells whose registration is whose. What
# became of it is read by the original program, over a path of neither.
# needs: iscsid:open-iscsi dmsetup:dmsetup
# machines: 2
# tools: ours
. "$lab/guest/two_nodes.sh"

prepare() {
    two_nodes 2
}

registrants='~Write Exclusive, registrants only'

both_register() {
    succeeds prout --register --param-sark=abc "$map"
    succeeds b sg_persist -n --out --register --param-sark=def "$map_b"
    is 'a1:abc a2:abc b1:def b2:def'
}

# A node fences the other one. Whoever was fenced is told, and does not come back by a command that says that it is
# registered.
test_fence() {
    both_register
    succeeds prout --reserve --param-rk=abc --prout-type=5 "$map"
    is "a1:abc* a2:abc b1:def b2:def $registrants"
    writes "$map" A || fail "the node that is registered cannot write: $(cat /run/err)"
    succeeds b sg_persist -n --out --preempt-abort --param-rk=def --param-sark=abc --prout-type=5 "$map_b"
    is "b1:def* b2:def $registrants"
    ends 6 'Registrations preempted' prout --preempt-abort --param-rk=abc --param-sark=def --prout-type=5 "$map"
    ends 24 conflict prout --preempt-abort --param-rk=abc --param-sark=def --prout-type=5 "$map"
    ends 24 conflict prout --reserve --param-rk=abc --prout-type=5 "$map"
    ends 24 conflict prout --register --param-rk=abc --param-sark=123 "$map"
    ends 24 conflict prout --register --param-rk=abc --param-sark=abc "$map"
    ends 24 conflict prout --release --param-rk=abc --prout-type=5 "$map"
    ends 24 conflict prout --clear --param-rk=abc "$map"
    is "b1:def* b2:def $registrants"
    ! writes "$map" B || fail 'the fenced node can write'
    first_block "$map" A
}

# What was told to each path about another node's release is not in the way.
test_attentions() {
    both_register
    succeeds b sg_persist -n --out --reserve --param-rk=def --prout-type=5 "$map_b"
    succeeds b sg_persist -n --out --release --param-rk=def --prout-type=5 "$map_b"
    succeeds prout --reserve --param-rk=abc --prout-type=5 "$map"
    is "a1:abc* a2:abc b1:def b2:def $registrants"
    succeeds prout --release --param-rk=abc --prout-type=5 "$map"
    succeeds b sg_persist -n --out --register-ignore --param-sark=def "$map_b"
    is 'a1:abc a2:abc b1:def b2:def'
}

# The path that holds the reservation is dead.
test_holder_on_a_dead_path() {
    both_register
    succeeds prout --reserve --param-rk=abc --prout-type=5 "${paths[0]}"
    dies "${paths[0]}"
    local before="a1:abc* a2:abc b1:def b2:def $registrants"
    is "$before"
    ends 0 'held by this host already' prout --reserve --param-rk=abc --prout-type=5 "$map"
    ends 24 conflict prout --reserve --param-rk=abc --prout-type=6 "$map"
    ends 37 'still held' prout --release --param-rk=abc --prout-type=5 "$map"
    is "$before"
    # It is back, and the same command does it.
    lives "${paths[0]}"
    succeeds prout --release --param-rk=abc --prout-type=5 "$map"
    is 'a1:abc a2:abc b1:def b2:def'
}

# Another key, while the holder is dead: whoever fences by the new key means all of this node.
test_another_key_with_the_holder_dead() {
    both_register
    succeeds prout --reserve --param-rk=abc --prout-type=5 "${paths[0]}"
    dies "${paths[0]}"
    ends 0 'was not reached: offline' prout --register --param-rk=abc --param-sark=123 "$map"
    is "a2:123* b1:def b2:def $registrants"
    succeeds b sg_persist -n --out --preempt-abort --param-rk=def --param-sark=123 --prout-type=5 "$map_b"
    is "b1:def* b2:def $registrants"
    lives "${paths[0]}"
    ! writes "${paths[0]}" B || fail "the fenced node can write: $(state)"
    ! writes "${paths[1]}" B || fail "the fenced node can write: $(state)"
}

# The session of a path is gone, and what it had registered is not: its name alone tells that it was this node's.
test_a_session_that_is_gone() {
    both_register
    succeeds prout --reserve --param-rk=abc --prout-type=5 "${paths[0]}"
    log_out 1 1
    local before="a1:abc* a2:abc b1:def b2:def $registrants"
    is "$before"
    ends 37 'still held' prout --release --param-rk=abc --prout-type=5 "$map"
    is "$before"
    ends 0 'was not reached: it is gone' prout --register --param-rk=abc "$map"
    is 'b1:def b2:def'
}

# The node leaves while one of its paths is dead: when that is back, nothing of the node is left.
test_unregister_with_a_dead_path() {
    both_register
    succeeds prout --reserve --param-rk=abc --prout-type=5 "${paths[0]}"
    dies "${paths[0]}"
    prout --register --param-rk=abc "$map" >/run/out 2>/run/err && status=0 || status=$?
    ((status == 0)) || fail "status $status: $(cat /run/err), $(state)"
    is 'b1:def b2:def'
    lives "${paths[0]}"
    is 'b1:def b2:def'
}

# Another node has the same key: nothing of it is taken for this node's.
test_the_same_key_on_two_nodes() {
    succeeds prout --register --param-sark=abc "$map"
    succeeds b sg_persist -n --out --register --param-sark=abc "$map_b"
    succeeds b sg_persist -n --out --reserve --param-rk=abc --prout-type=5 "$map_b"
    local before="a1:abc a2:abc b1:abc* b2:abc $registrants"
    is "$before"
    ends 24 conflict prout --reserve --param-rk=abc --prout-type=5 "$map"
    succeeds prout --release --param-rk=abc --prout-type=5 "$map"
    is "$before"
    succeeds prout --register --param-rk=abc --param-sark=123 "$map"
    is "a1:123 a2:123 b1:abc* b2:abc $registrants"
    succeeds prout --register --param-rk=123 --param-sark=abc "$map"
    dies "${paths[0]}"
    ends 38 'left' prout --register --param-rk=abc "$map"
    is "a1:abc b1:abc* b2:abc $registrants"
}

# A path comes back after the node was registered.
test_a_returning_path() {
    dies "${paths[1]}"
    ends 0 'was not reached: offline' prout --register --param-sark=abc "$map"
    succeeds b sg_persist -n --out --register --param-sark=def "$map_b"
    is 'a1:abc b1:def b2:def'
    lives "${paths[1]}"
    succeeds prout --register --param-sark=abc "$map"
    is 'a1:abc a2:abc b1:def b2:def'
    succeeds prout --reserve --param-rk=abc --prout-type=5 "$map"
    local tries
    for tries in 1 2 3 4; do writes "$map" A || fail "$(cat /run/err)"; done
}

# The first path's connection is gone, and the kernel waits for it to come back: the fence goes over the other one, and so
# do answers.
test_a_fence_over_a_blocked_path() {
    local begin end
    both_register
    succeeds b sg_persist -n --out --reserve --param-rk=def --prout-type=5 "$map_b"
    echo 0 >"$config/iscsi/$target/tpgt_1/enable"
    await grep -qv running "/sys/class/block/${paths[0]##*/}/device/state"
    begin=${EPOCHREALTIME/./}
    sg_persist -n -k "$map" >/run/out 2>/run/err || fail "status $?: $(cat /run/err)"
    end=${EPOCHREALTIME/./}
    keep "a read beside a blocked path: $(((end - begin) / 1000)) ms"
    begin=${EPOCHREALTIME/./}
    prout --preempt-abort --param-rk=abc --param-sark=def --prout-type=5 "$map" >/run/out 2>/run/err ||
        fail "status $?: $(cat /run/err)"
    end=${EPOCHREALTIME/./}
    keep "a fence beside a blocked path: $(((end - begin) / 1000)) ms"
    ((end - begin < 5000000)) || fail "after $(((end - begin) / 1000)) ms"
    [[ $(sg_persist -n -k "$map" | sed -n 's/^    0x//p' | tr '\n' ' ') = 'abc abc ' ]] || fail 'not fenced'
}

# As many paths as storage of the larger kind has.
test_four_paths() {
    two_nodes 4
    succeeds prout --register --param-sark=abc "$map"
    succeeds b sg_persist -n --out --register --param-sark=def "$map_b"
    is 'a1:abc a2:abc a3:abc a4:abc b1:def b2:def b3:def b4:def'
    succeeds prout --reserve --param-rk=abc --prout-type=5 "${paths[3]}"
    # Two of them are dead, one of these holds the reservation.
    dies "${paths[0]}"
    dies "${paths[3]}"
    ends 37 'still held' prout --release --param-rk=abc --prout-type=5 "$map"
    ends 0 'was not reached' prout --register-ignore --param-sark=123 "$map"
    is "a2:123* a3:123 b1:def b2:def b3:def b4:def $registrants"
    lives "${paths[0]}"
    lives "${paths[3]}"
    succeeds prout --register --param-rk=abc --param-sark=123 "$map"
    is "a1:123 a2:123* a3:123 a4:123 b1:def b2:def b3:def b4:def $registrants"
    # A fence takes all of it.
    succeeds b sg_persist -n --out --preempt-abort --param-rk=def --param-sark=123 --prout-type=5 "$map_b"
    is "b1:def* b2:def b3:def b4:def $registrants"
    ends 6 'Registrations preempted' prout --register --param-sark=123 "$map"
    # Having looked at that, it may come back.
    succeeds prout --register --param-sark=123 "$map"
    succeeds b sg_persist -n --out --register --param-rk=def "$map_b"
    is 'a1:123 a2:123 a3:123 a4:123'
}
