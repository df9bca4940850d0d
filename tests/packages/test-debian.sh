# shellcheck shell=bash disable=SC2154,SC2016
# The .deb in a clean Debian: alone, with sg3-utils in either order, through updates of both, and gone again.

install_sg3() {
    inside sh -c 'dpkg --install /var/cache/apt/archives/libsgutils2-*.deb /var/cache/apt/archives/sg3-utils_*.deb'
}

# Its library has the version in its name.
purge_sg3() {
    inside dpkg --purge sg3-utils "$(dpkg-deb --field "$root"/var/cache/apt/archives/libsgutils2-*.deb Package)"
}

# An update of sg3-utils, whose sg_persist is another one.
newer_sg3() {
    local tree=$root/packages/sg3
    dpkg-deb --raw-extract "$root"/var/cache/apt/archives/sg3-utils_*.deb "$tree"
    sed -i 's/^Version: .*/&+newer/' "$tree/DEBIAN/control"
    sed -i '/ usr\/bin\/sg_persist$/d' "$tree/DEBIAN/md5sums"
    printf '#!/bin/sh\necho newer\n' >"$tree/usr/bin/sg_persist"
    dpkg-deb --build "$tree" "$root/packages/sg3-newer.deb"
}

install_ours() {
    cp "$1" "$root/packages/"
    inside apt-get --quiet --yes install "/packages/${1##*/}"
}

# Both are there: ours under the name, the other one under its new name.
both() {
    ours /usr/bin/sg_persist
    works sg_persist
    works sg-persist
    inside sg_persist.sg3-utils -V 2>&1 | grep '^version: 0\.[67]'
    inside man -P cat sg_persist | grep -F 'sg_persist 0.'
    inside man -P cat sg_persist.sg3-utils | grep -F 'sg3_utils-1.'
    expect 0 '' inside dpkg --verify sg-persist
    expect 0 '' inside dpkg --verify sg3-utils
}

test_lintian() {
    # Built outside of Debian: there is no bug to close, and nobody whose address is to be published. cargo-deb writes the
    # field for dependencies even if there are none.
    lintian --allow-root --fail-on error,warning \
        --suppress-tags initial-upload-closes-no-bugs,malformed-contact,bogus-mail-host-in-debian-changelog,empty-field "$deb"
}

test_contents() {
    expect 0 './usr/bin/sg-persist
./usr/bin/sg_persist
./usr/share/bash-completion/completions/sg-persist
./usr/share/bash-completion/completions/sg_persist
./usr/share/doc/sg-persist/README.md
./usr/share/doc/sg-persist/changelog.Debian.gz
./usr/share/doc/sg-persist/copyright
./usr/share/fish/vendor_completions.d/sg-persist.fish
./usr/share/fish/vendor_completions.d/sg_persist.fish
./usr/share/lintian/overrides/sg-persist
./usr/share/man/man8/sg-persist.8.gz
./usr/share/man/man8/sg_persist.8.gz
./usr/share/zsh/vendor-completions/_sg_persist' \
        bash -c 'dpkg-deb --fsys-tarfile "$1" | tar --list | grep -v "/$" | LC_ALL=C sort' - "$deb"
    expect 0 '' dpkg-deb --field "$deb" Depends
    dpkg-deb --fsys-tarfile "$deb" | tar --extract --to-stdout ./usr/bin/sg_persist | cmp - "$program"
    dpkg-deb --fsys-tarfile "$deb" | tar --extract --to-stdout ./usr/share/man/man8/sg_persist.8.gz | zcat | cmp - man/sg_persist.8
    # Each library that is linked in, with its licence.
    dpkg-deb --fsys-tarfile "$deb" | tar --extract --to-stdout ./usr/share/doc/sg-persist/copyright >"$work/copyright"
    grep -q '^MIT License$' "$work/copyright"
    grep -q -e '^The GNU C Library: LGPL' -e '^musl: MIT' "$work/copyright"
    for name in clap_builder nix libc serde_json; do
        sed -n "/^$name [0-9.]*: /,/^[a-z_]* [0-9]/p" "$work/copyright" | grep -q 'Permission is hereby granted'
    done
}

test_alone() {
    fresh_root
    picture before
    install_ours "$deb"
    ours /usr/bin/sg_persist
    works sg_persist
    works sg-persist
    expect 0 /usr/bin/sg_persist inside sh -c 'command -v sg_persist'
    inside man -P cat sg_persist | grep 'read and change the persistent reservations'
    inside man -P cat sg-persist | grep 'read and change the persistent reservations'
    inside apt-get --quiet --yes remove sg-persist
    picture after
    same_picture before after
    inside dpkg --install "/packages/${deb##*/}"
    inside dpkg --purge sg-persist
    picture after
    same_picture before after
    expect 1 "dpkg-query: package 'sg-persist' is not installed and no information is available
Use dpkg --info (= dpkg-deb --info) to examine archive files." inside dpkg --status sg-persist
}

test_completions() {
    fresh_root
    install_ours "$deb"
    for name in sg_persist sg-persist; do
        # As the shells of users find them: by the name of the command.
        inside bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader $0; complete -p $0
            COMP_WORDS=($0 --read-k) COMP_CWORD=1; _sg_persist $0 --read-k $0; test "${COMPREPLY[*]}" = --read-keys' "$name"
        expect 0 _sg_persist inside zsh -fc 'autoload -U compinit; compinit -u; print $_comps[$0]' "$name"
        inside fish -c "complete -C '$name --read-k'" | grep '^--read-keys'
    done
}

test_after_sg3_utils() {
    fresh_root
    install_sg3
    picture before
    install_ours "$deb"
    both
    # Its updates, and that it comes again, go around ours.
    install_sg3
    both
    newer_sg3
    inside dpkg --install /packages/sg3-newer.deb
    ours /usr/bin/sg_persist
    expect 0 newer inside sg_persist.sg3-utils
    inside dpkg --install /var/cache/apt/archives/"$(basename "$root"/var/cache/apt/archives/sg3-utils_*.deb)"
    both
    # An update of ours, and it coming again.
    install_ours "$deb2"
    both
    inside dpkg --install "/packages/${deb2##*/}"
    both
    inside dpkg --remove sg-persist
    picture after
    same_picture before after
    expect 0 '' inside dpkg --verify sg3-utils
    inside sg_persist -V 2>&1 | grep '^version: 0\.[67]'
}

test_before_sg3_utils() {
    fresh_root
    picture nothing
    install_sg3
    picture before
    purge_sg3
    picture after
    same_picture nothing after
    install_ours "$deb"
    install_sg3
    both
    inside dpkg --purge sg-persist
    picture after
    same_picture before after
    # The other one goes first.
    install_ours "$deb"
    both
    purge_sg3
    ours /usr/bin/sg_persist
    works sg_persist
    inside dpkg --purge sg-persist
    picture after
    same_picture nothing after
}

# Updated while ours is there: after it is gone, the newer one is in its place.
test_removed_after_an_update_of_sg3_utils() {
    fresh_root
    install_sg3
    install_ours "$deb"
    newer_sg3
    inside dpkg --install /packages/sg3-newer.deb
    inside dpkg --remove sg-persist
    expect 0 newer inside sg_persist
    [[ ! -e $root/usr/bin/sg_persist.sg3-utils ]]
    inside dpkg --install /packages/sg3-newer.deb
    expect 0 newer inside sg_persist
}

# Who has followed README's way for a program without a package has a diversion already.
test_refused_where_the_name_is_taken() {
    fresh_root
    install_sg3
    inside dpkg-divert --local --rename --divert /usr/bin/sg_persist.sg3-utils --add /usr/bin/sg_persist
    ln -s /usr/local/bin/sg_persist "$root/usr/bin/sg_persist"
    picture before
    cp "$deb" "$root/packages/"
    local status=0
    inside dpkg --install "/packages/${deb##*/}" || status=$?
    ((status == 1))
    picture after
    same_picture before after
    # And where somebody has put a file at the name to which it would go.
    fresh_root
    install_sg3
    echo mine >"$root/usr/bin/sg_persist.sg3-utils"
    picture before
    cp "$deb" "$root/packages/"
    status=0
    inside dpkg --install "/packages/${deb##*/}" || status=$?
    ((status == 1))
    picture after
    same_picture before after
}
