# shellcheck shell=bash disable=SC2154
# The first sector of a disk is the same before and after every kind of command, whatever standard streams are closed: none
# of their numbers is the device's. Output that cannot be written is a failure.

# Of each command: its status, its arguments. Together they leave the disk as it was.
every_command='
0 --in --read-keys
0 --in --read-keys --hex
0 -vvvv --in --read-keys
0 -n --in --read-reservation
0 -n --in --report-capabilities
0 -n -v --in --read-full-status
5 -n -vv --in --read-keys --maxlen=4
0 --out --register --param-sark=abc123
0 -n -vv --in --read-keys -m 16
97 -n -vvv --in --read-keys -m 12
24 -n -vvv --out --register --param-sark=abc123
0 -vv --out --reserve --param-rk=abc123 --prout-type=1
0 -n -v --in --read-reservation
24 --out --preempt --param-rk=abc123 --param-sark=77 --prout-type=1
0 -n -v --out --preempt --param-rk=abc123 --param-sark=abc123 --prout-type=3
0 --out --release --param-rk=abc123 --prout-type=3
0 -n --out --register-ignore --param-sark=123abc
REFUSED -n -vvv --out --register-move --param-rk=123abc --param-sark=1 --relative-target-port=1 --transport-id=sas,5000000000000001
REFUSED -n -v --out --replace-lost --param-rk=123abc
0 -vvv --out --clear --param-rk=123abc
1 --in --no-such-option
31 --in --read-keys --read-reservation
0 --help
0 --version
'

# run_closed STREAMS COMMAND...: with these of 0, 1 and 2 closed, the others open.
run_closed() {
    local streams=$1
    shift
    case $streams in
    -) "$@" </dev/null >/run/out 2>/run/err ;;
    0) "$@" <&- >/run/out 2>/run/err ;;
    1) "$@" </dev/null >&- 2>/run/err ;;
    2) "$@" </dev/null >/run/out 2>&- ;;
    01) "$@" <&- >&- 2>/run/err ;;
    02) "$@" <&- >/run/out 2>&- ;;
    12) "$@" </dev/null >&- 2>&- ;;
    012) "$@" <&- >&- 2>&- ;;
    esac
}

all_commands() {
    local streams=$1 wanted arguments status
    writes "$node1" S
    head -c 4096 "$image" >/run/sector
    cmp -s /run/sector /run/letters || fail 'the disk is not as written'
    while read -r wanted arguments; do
        [[ -n $wanted ]] || continue
        # shellcheck disable=SC2086
        run_closed "$streams" sg_persist $arguments "$node1" && status=0 || status=$?
        case $wanted in
        REFUSED) ((status != 0)) ;;
        *) ((status == wanted)) ;;
        esac || fail "status $status: $arguments"
        cmp -s -n 4096 /run/sector "$image" || fail "the disk was written: $arguments"
    done <<<"$every_command"
    # Past every cache.
    first_block "$node1" S
}

test_all_open() { all_commands -; }
test_stdin_closed() { all_commands 0; }
test_stdout_closed() { all_commands 1; }
test_stderr_closed() { all_commands 2; }
test_stdin_and_stdout_closed() { all_commands 01; }
test_stdin_and_stderr_closed() { all_commands 02; }
test_stdout_and_stderr_closed() { all_commands 12; }
test_all_closed() { all_commands 012; }

test_no_space_for_the_output() {
    local arguments
    for arguments in '-n -k' '-n -r' '-n -c' '-n -s' '-n -kH' -k --help --version; do
        # shellcheck disable=SC2086
        sg_persist $arguments "$node1" >/dev/full 2>/run/err && status=0 || status=$?
        ((status == 78)) || fail "$arguments: status $status"
        same 'standard error' 'sg_persist: cannot write the output: No space left on device' /run/err || fail "$arguments"
    done
    # What is changed says nothing and needs no room.
    sg_persist -n -o -G -S 1 "$node1" >/dev/full 2>/run/err || fail "status $?"
    holds "$node1" 1 1
}

# SIGPIPE ends the program, as it ends any other; where it is ignored, the status tells.
test_nobody_reads_the_output() {
    local arguments ignoring expected
    for arguments in '-n -k' '-n -s' -k --help; do
        for ignoring in '' PIPE; do
            {
                [[ -z $ignoring ]] || trap '' PIPE
                sleep 0.2
                # shellcheck disable=SC2086
                sg_persist $arguments "$node1" 2>/run/err && echo 0 >/run/status || echo $? >/run/status
            } | true || true
            expected=141
            [[ -z $ignoring ]] || expected=82
            same status "$expected" /run/status || fail "$arguments"
            same 'standard error' '' /run/err || fail "$arguments"
        done
    done
}

# A change that was sent has its own status, whoever reads on.
test_nobody_reads_on_after_a_change() {
    {
        sleep 0.2
        sg_persist -o -G -S 1 "$node1" 2>/run/err && echo 0 >/run/status || echo $? >/run/status
    } | true || true
    same status 0 /run/status || exit 1
    same 'standard error' '' /run/err || exit 1
    holds "$node1" 1 1
    rm -f /run/document
    # The messages go through a pipe, for which there is no limit.
    (ulimit -f 0 && sg_persist -n -o -I -S 2 -J /run/document "$node1" 2>&1 && echo status 0) |
        cat >/run/err
    same 'standard error' 'sg_persist: cannot write /run/document: File too large
The change itself was made
status 0' /run/err || exit 1
    holds "$node1" 2 2
}

# The document does not go where somebody else's link in a directory for all leads, as no output of a shell does.
test_a_link_laid_as_a_trap() {
    local target
    echo 1 >/proc/sys/fs/protected_symlinks
    for target in kept absent; do
        rm -rf /run/for-all /run/absent
        mkdir -m 1777 /run/for-all
        echo kept >/run/kept
        ln -s "/run/$target" /run/for-all/document
        chown -h 65534:65534 /run/for-all/document
        sg_persist -n -o -G -S 1 -J /run/for-all/document "$node1" >/run/out 2>/run/err && status=0 || status=$?
        ((status == 63)) || fail "$target: status $status"
        same 'standard error' 'sg_persist: cannot write /run/for-all/document: Permission denied' /run/err || exit 1
        same 'the file' kept /run/kept || exit 1
        [[ ! -e /run/absent ]] || fail 'a file was made'
        holds "$node1" 0
    done
}
