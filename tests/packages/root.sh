# shellcheck shell=bash disable=SC2154
# The roots into which packages are installed. Sourced, never run.

work=$PWD/target/packages-test
root=$work/root

die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# A minimal Debian of this machine's release, from its mirror: with what reads man pages and completions, rpm, and
# sg3-utils as far as its packages lie in apt's cache. Kept as an archive.
make_roots() {
    local mirror codename
    mkdir -p "$work"
    [[ ! -s $work/debian.tar ]] || return 0
    echo 'run: making a clean Debian' >&2
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)' 'Created-By: Packages' |
        sed -n '/security/d; s/^Debian|//p' | head -n 1)
    [[ -n $mirror ]] || die 'no Debian mirror in the configuration of apt (as root: apt-get update)'
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    rm -rf "$root"
    debootstrap --variant=minbase --include=man-db,bash-completion,zsh,fish,rpm "$codename" "$root" "$mirror" \
        >"$work/debootstrap.txt" 2>&1 || die "debootstrap failed (log: $work/debootstrap.txt)"
    chroot "$root" apt-get clean
    chroot "$root" apt-get --quiet --quiet --yes --no-install-recommends --download-only install sg3-utils >/dev/null
    tar --create --file "$work/debian.tar.new" --directory "$root" .
    mv "$work/debian.tar.new" "$work/debian.tar"
}

# A root as the archive has it.
fresh_root() {
    rm -rf "$root"
    mkdir -p "$root"
    tar --extract --file "$work/debian.tar" --directory "$root"
    mkdir -p "$root/packages"
}

# Runs a command in it.
inside() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}

# Every path of the system with its kind, mode, owner and what it links to; files with their size, and with a checksum
# or, as far as they are neither settings, programs nor man pages, with the time that their package gave them. Without the
# package systems' own records, caches and logs, and /dev, where device nodes are.
picture() {
    (
        cd "$root" || exit
        find . \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/lib/rpm -o -path ./usr/lib/sysimage/rpm \
            -o -path ./var/cache -o -path ./var/log -o -path ./tmp -o -path ./run -o -path ./root -o -path ./dev \
            -o -path ./packages \) -prune -o -type f -printf '%y %m %u:%g %p %s\n' -o -printf '%y %m %u:%g %p %l\n' |
            LC_ALL=C sort
        find ./usr \( -path ./usr/bin -o -path ./usr/share/man/man8 \) -prune -o -type f -printf '%p %T@\n' | LC_ALL=C sort
        find ./usr/bin ./usr/share/man/man8 ./etc -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        chroot . dpkg-divert --list | LC_ALL=C sort
    ) >"$work/$1.picture"
}

# same_picture A B: nothing is different between them.
same_picture() {
    diff "$work/$1.picture" "$work/$2.picture"
}

# Is the program at this path of the root ours?
ours() {
    cmp "$program" "$root$1"
}

# expect STATUS TEXT COMMAND...: that status, and TEXT is what the command writes (both streams).
expect() {
    local status=0 output
    output=$("${@:3}" 2>&1) || status=$?
    diff <(printf '%s\n' "$1" "$2") <(printf '%s\n' "$status" "$output")
}

# lacks PATTERN FILE: no line of the file matches. (A "!" before a command would end no test.)
lacks() {
    if grep -E "$1" "$2"; then
        return 1
    fi
}

# What every installation of ours has to do, at a path of the root.
works() {
    local version
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
    expect 0 "version: $version" inside "$1" -V
    expect 75 'Persistent reservation in: pass-through os error: Inappropriate ioctl for device
PR in (Read keys): Inappropriate ioctl for device
sg_persist failed: Inappropriate ioctl for device' inside "$1" -n -k /dev/null
}
