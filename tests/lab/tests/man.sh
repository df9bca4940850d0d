# shellcheck shell=bash disable=SC2154
# The man page's examples, run as they stand.

# The lines between .EX and .EE in the section EXAMPLES, as a reader sees them.
examples() {
    sed -n '/^\.SH EXAMPLES$/,/^\.SH DIFFERENCES$/{/^\.EX$/,/^\.EE$/{/^\.E[XE]$/!{s/\\-/-/g;p}}}' "$lab/../../man/sg_persist.8"
}

# at NODE COMMAND: runs it where the node's disk is /dev/sda, as on two machines.
at() {
    local device=node${1#node}
    unshare --mount bash -c 'mount --bind "$1" /dev/sda && eval "$2"' at "${!device}" "$2"
}

test_examples() {
    local line expected=0
    examples >/run/examples
    while IFS= read -r line; do
        if [[ $line = node[12]'# '* ]]; then
            printf '%s\n' "$line" >>/run/transcript
            # What a person sees: the answer, then what went wrong.
            at "${line%%#*}" "${line#*# }" >/run/answer 2>/run/wrong </dev/null || true
            cat /run/answer /run/wrong >>/run/transcript
            expected=$((expected + 1))
        fi
    done </run/examples
    ((expected >= 15)) || fail "only $expected examples found"
    cmp -s /run/examples /run/transcript || {
        diff -U 9 /run/examples /run/transcript
        fail 'the examples are not what happens'
    }
}
