# shellcheck shell=bash disable=SC2154
# disk-lock, a lock between nodes made of this command alone, where it matters: two that want it, and one that died.

disk_lock() {
    "$lab/disk-lock" "$@"
}

test_acquire_and_release() {
    answers 1 '' '' disk_lock holder "$node1"
    succeeds disk_lock acquire "$node1" a1
    answers 0 a1 '' disk_lock holder "$node2"
    # Once more, by the node that has it: as after its restart.
    succeeds disk_lock acquire "$node1" a1
    answers 1 '' '' disk_lock acquire "$node2" b2
    answers 1 '' '' disk_lock release "$node2" b2
    answers 0 a1 '' disk_lock holder "$node2"
    succeeds disk_lock release "$node1" a1
    answers 1 '' '' disk_lock holder "$node1"
    succeeds disk_lock acquire "$node2" b2
    answers 0 b2 '' disk_lock holder "$node1"
}

test_lock_keeps_others_from_writing() {
    succeeds disk_lock acquire "$node1" a1
    answers 1 '' '' disk_lock acquire "$node2" b2
    writes "$node1" A || fail 'the holder cannot write'
    ! writes "$node2" B || fail 'another node can write'
    first_block "$node1" A
}

# contend DEVICE KEY ROUNDS: takes the lock as often, and each time looks whether another has it at the same time.
contend() {
    local rounds=$3 tries=0 status
    while ((rounds > 0)); do
        disk_lock acquire "$1" "$2" && status=0 || status=$?
        case $status in
        0)
            # A folder can be made by one alone.
            mkdir /run/held || return
            writes "$1" A || return
            rmdir /run/held
            disk_lock release "$1" "$2" || return
            rounds=$((rounds - 1))
            ;;
        1) tries=$((tries + 1)) && ((tries < 200)) || return ;;
        *) return 1 ;;
        esac
    done
}

test_race() {
    local first second
    contend "$node1" a1 4 >/run/said1 2>&1 &
    first=$!
    contend "$node2" b2 4 >/run/said2 2>&1 &
    second=$!
    wait "$first" || fail "node1: $(cat /run/said1 /run/err)"
    wait "$second" || fail "node2: $(cat /run/said2 /run/err)"
    answers 1 '' '' disk_lock holder "$node1"
}

test_dead_holder_is_fenced() {
    succeeds disk_lock acquire "$node1" a1
    answers 1 '' '' disk_lock acquire "$node2" b2
    writes "$node1" A
    succeeds disk_lock fence "$node2" b2 a1
    answers 0 b2 '' disk_lock holder "$node2"
    writes "$node2" B
    # It was not dead, after all: what it writes, now and later, does not arrive, and it can find out.
    ! writes "$node1" C || fail 'the fenced node can write'
    ! writes "$node1" C || fail 'the fenced node can write again'
    same 'error of writing' "dd: error writing '$node1': Invalid exchange" /run/err || exit 1
    first_block "$node2" B
    answers 1 '' '' disk_lock release "$node1" a1
    answers 0 b2 '' disk_lock holder "$node1"
}

test_fenced_once() {
    # Whoever comes second, here under a third key, finds that the victim does not have it any more.
    succeeds disk_lock acquire "$node1" a1
    succeeds disk_lock fence "$node2" b2 a1
    answers 1 '' '' disk_lock fence "$node1" c3 a1
    answers 0 b2 '' disk_lock holder "$node1"
}

test_trouble_is_not_an_answer() {
    local what='disk-lock: sg_persist: error opening file /dev/nowhere'
    answers 2 '' "$what (ro): No such file or directory" disk_lock holder /dev/nowhere
    answers 2 '' "$what (rw): No such file or directory" disk_lock acquire /dev/nowhere a1
}
