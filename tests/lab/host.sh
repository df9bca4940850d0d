# shellcheck shell=bash
# What the laboratory's scripts on the host have in common. Sourced, never run.

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$lab/../.." && pwd -P)

# shellcheck disable=SC2034
# Everything the laboratory makes is below this folder; removing it starts afresh.
work=$root/target/lab

# The kernel: that of this release of Debian, or with KERNEL=current a newer one. One folder and one initramfs for each.
case ${KERNEL-} in
'') kernel_suffix= ;;
current) kernel_suffix=-current ;;
*)
    printf '%s: KERNEL is "current" or nothing\n' "${0##*/}" >&2
    exit 1
    ;;
esac
# shellcheck disable=SC2034
kernel=$work/kernel$kernel_suffix initrd=$work/initrd$kernel_suffix

# Where cargo puts the program, below its target directory: .cargo/config.toml names the target, this machine's.
program_in_target=x86_64-unknown-linux-gnu/release/sg_persist

die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit "${2-1}"
}

# The program under test: SG_PERSIST names another one, so that the same tests can be put to it.
program() {
    local target
    if [[ -n ${SG_PERSIST-} ]]; then
        realpath -- "$SG_PERSIST"
        return
    fi
    target=$root/target
    if [[ ! -x $target/$program_in_target ]]; then
        # CARGO_TARGET_DIR or a cargo configuration may have moved it.
        target=$(cd "$root" && cargo metadata --quiet --format-version 1 --no-deps --offline |
            sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
    fi
    printf '%s\n' "$target/$program_in_target"
}

build_program() {
    [[ -n ${SG_PERSIST-} ]] && return
    (cd "$root" && cargo build --quiet --release) || die 'the program does not build'
}
