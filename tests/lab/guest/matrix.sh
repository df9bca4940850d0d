# shellcheck shell=bash disable=SC2154,SC2034
# A matrix of what a device may answer and what the program has to make of it. Each cell is one answer; the program under
# test is judged, the original (1.48) runs beside it where it could be had, and both results are kept in the run's folder,
# matrix.txt. Sourced in the guest, after tcmu.sh and check.sh.

original=${lab%/*/*}/target/originals/1.48
matrix=/run/job/matrix.txt

load_original() {
    [[ -x $original/usr/bin/sg_persist && ! -e /run/original ]] || return 0
    mkdir /run/original
    cp "$original"/usr/bin/sg_persist "$original"/usr/lib/x86_64-linux-gnu/*.so.* /run/original
}

# The original may loop, fill disks and crash: little time, little room. Its result is in $original_status.
run_original() {
    original_status=-
    [[ -e /run/original ]] || return 0
    {
        (
            ulimit -t 1 -f 1024 -c 0
            exec /run/original/ld-linux-x86-64.so.2 --library-path /run/original /run/original/sg_persist "$@"
        ) </dev/null >/run/original.out 2>/run/original.err && original_status=0 || original_status=$?
    } 2>/dev/null
}

# The first line of a file, and how many there are; sets $summary.
summarize() {
    local lines
    mapfile -t lines <"$1" 2>/dev/null
    summary=${lines[0]-}
    summary=${summary:0:60}
    ((${#lines[@]} < 2)) || summary+=" (${#lines[@]} lines)"
    summary=${summary//[^[:print:]]/?}
}

# judged STATUS STDOUT STDERR COMMAND...: as `answers`, but without a process where all is well, and goes on after a
# failure; the test asks for `failures` at its end.
judged() {
    local wanted=$1 out=$2 err=$3 found_out found_err
    shift 3
    "$@" </dev/null >/run/out 2>/run/err && status=0 || status=$?
    # (All of a file, without a process for it; the end of the file makes it say no.)
    IFS= read -r -d '' found_out </run/out || true
    IFS= read -r -d '' found_err </run/err || true
    [[ -z $out ]] || out+=$'\n'
    [[ -z $err ]] || err+=$'\n'
    [[ $status = "$wanted" && $found_out = "$out" && $found_err = "$err" ]] && return
    echo "$name: of $*"
    [[ $status = "$wanted" ]] || echo "  status $status, expected $wanted"
    [[ $found_out = "$out" ]] || { printf %s "$out" | diff -U 3 - /run/out | tail -n +3 | cut -c1-200; } || true
    [[ $found_err = "$err" ]] || { printf %s "$err" | diff -U 3 - /run/err | tail -n +3 | cut -c1-200; } || true
    return 1
}

# cell NAME STATUS STDOUT STDERR RULES COMMAND-LINE...: RULES are the device's, one a line; the nodes in $nodes are put at
# the end of the command line one after the other. Where $original_runs is not 1 the original is left out.
cell() {
    local name=$1 wanted=$2 out=$3 err=$4 script=$5 node status wrong=0
    shift 5
    for node in $nodes; do
        answer_by "$script"
        judged "$wanted" "$out" "$err" sg_persist "$@" "$node" || wrong=1
    done
    wrong_cells=$((wrong_cells + wrong))
    local ours=$status ours_says original_says
    summarize /run/out
    ours_says=$summary
    [[ -n $summary ]] || { summarize /run/err && ours_says="! $summary"; }
    original_status=- original_says=
    if [[ $original_runs = 1 ]]; then
        answer_by "$script"
        run_original "$@" "$node"
        if [[ $original_status != - ]]; then
            summarize /run/original.out
            original_says=$summary
            [[ -n $summary ]] || { summarize /run/original.err && original_says="! $summary"; }
        fi
    fi
    printf '%-52s %4s  %-76s %4s  %s\n' "$name" "$original_status" "$original_says" "$ours" "$ours_says" >>/run/matrix
    cells=$((cells + 1))
}

begin_cells() {
    cells=0 wrong_cells=0 original_runs=1 nodes="$disk $generic"
    began=${EPOCHREALTIME/./}
    : >/run/matrix
}

# Keeps the table; the test fails if a cell did.
end_cells() {
    local took=$(((${EPOCHREALTIME/./} - began) / 1000))
    {
        printf '\n%s: %s cells, %s wrong, %s ms\n' "$1" "$cells" "$wrong_cells" "$took"
        printf '%-52s %4s  %-76s %4s  %s\n' cell 1.48 '(stdout, or ! and stderr)' ours '(stdout, or ! and stderr)'
        cat /run/matrix
    } >>"$matrix"
    ((cells > 0 && wrong_cells == 0)) || fail "$wrong_cells of $cells cells"
}
