# shellcheck shell=bash disable=SC2154,SC2016
# The .rpm in a root of its own with rpm's own database: alone, beside a package that stands in for sg3_utils and in the
# place of its program. (The files of the system below are Debian's; no mirror of Fedora is needed.)

# A root whose rpm knows of /bin/sh, and stand-ins for sg3_utils, versions 1 and 2.
fresh_rpm_root() {
    fresh_root
    if [[ ! -s $work/rpms/sg3_utils-2-1.noarch.rpm ]]; then
        local top=$work/rpmbuild
        rm -rf "$top"
        mkdir -p "$top" "$work/rpms"
        cat >"$top/system.spec" <<'END'
Name: system
Version: 1
Release: 1
Summary: Stands in for the system
License: MIT
BuildArch: noarch
Provides: /bin/sh
%description
Stands in for the system.
%files
END
        cat >"$top/sg3_utils.spec" <<'END'
Name: sg3_utils
Version: %{number}
Release: 1
Summary: Stands in for sg3_utils
License: BSD-2-Clause
BuildArch: noarch
AutoReq: no
%description
Stands in for sg3_utils.
%install
install -d %{buildroot}/usr/bin %{buildroot}/usr/share/man/man8
printf '#!/bin/sh\necho original %{number}\n' >%{buildroot}/usr/bin/sg_persist
chmod 755 %{buildroot}/usr/bin/sg_persist
echo original | gzip -9n >%{buildroot}/usr/share/man/man8/sg_persist.8.gz
%files
/usr/bin/sg_persist
/usr/share/man/man8/sg_persist.8.gz
END
        for number in 1 2; do
            rpmbuild --quiet -bb --define "_topdir $top" --define "__os_install_post :" --define "number $number" \
                "$top/sg3_utils.spec"
        done
        rpmbuild --quiet -bb --define "_topdir $top" "$top/system.spec"
        cp "$top"/RPMS/noarch/*.rpm "$work/rpms/"
    fi
    # Folders that a system of that kind has.
    mkdir -p "$root"/usr/share/{licenses,zsh/site-functions} "$root/etc/rpm"
    cp "$work/rpms"/*.rpm "$rpm" "$rpm2" "$root/packages/"
    managed --install /packages/system-1-1.noarch.rpm
}

# Debian's rpm warns where it is used to install packages.
managed() {
    inside rpm --force-debian "$@"
}

beside() {
    ours /usr/bin/sg-persist
    works sg-persist
    expect 0 "original $1" inside sg_persist
    managed --verify sg-persist
    managed --verify sg3_utils
}

one=/packages/sg3_utils-1-1.noarch.rpm two=/packages/sg3_utils-2-1.noarch.rpm
first=/packages/${rpm##*/} second=/packages/${rpm2##*/}

test_contents() {
    expect 0 '/usr/bin/sg-persist
/usr/share/bash-completion/completions/sg-persist
/usr/share/doc/sg-persist/README.md
/usr/share/fish/vendor_completions.d/sg-persist.fish
/usr/share/fish/vendor_completions.d/sg_persist.fish
/usr/share/licenses/sg-persist/LICENSE
/usr/share/man/man8/sg-persist.8.gz
/usr/share/zsh/site-functions/_sg_persist' command rpm --query --package --list "$rpm"
    # Nothing but what every package of rpm's wants: a shell, and rpm's own features.
    expect 0 /bin/sh bash -c 'rpm --query --package --requires "$1" | grep -v "^rpmlib(" | sort -u' - "$rpm"
    command rpm --checksig "$rpm"
    command rpm --query --package --queryformat '%{NAME} %{LICENSE} %{SUMMARY} %{DESCRIPTION}\n' "$rpm"
}

test_alone() {
    fresh_rpm_root
    picture before
    managed --install "$first"
    ours /usr/bin/sg-persist
    works sg-persist
    managed --verify sg-persist
    inside man -P cat sg-persist | grep 'read and change the persistent reservations'
    inside bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader sg-persist; complete -p sg-persist'
    inside fish -c "complete -C 'sg-persist --read-k'" | grep '^--read-keys'
    managed --upgrade "$second"
    works sg-persist
    managed --verify sg-persist
    expect 0 2 managed --query --queryformat '%{RELEASE}\n' sg-persist
    managed --erase sg-persist
    picture after
    same_picture before after
}

test_beside() {
    local order
    for order in "$one $first" "$first $one"; do
        fresh_rpm_root
        managed --install "$one"
        picture before
        managed --erase sg3_utils
        for package in $order; do
            managed --install "$package"
        done
        beside 1
        managed --upgrade "$second"
        beside 1
        managed --upgrade "$two"
        beside 2
        managed --upgrade --oldpackage "$one"
        beside 1
        managed --reinstall "$one"
        beside 1
        managed --erase sg-persist
        picture after
        same_picture before after
    done
}

test_in_its_place() {
    fresh_rpm_root
    managed --install "$two"
    picture before
    managed --upgrade --oldpackage "$one"
    managed --install "$first"
    # As README has it.
    inside sh -ec "$(sed -n 's/^    \(echo .%_netsharedpath .*\)/\1/p' README.md)"
    inside sh -ec "$(sed -n 's/^    \(ln -sf sg-persist .*\)/\1/p' README.md)"
    ours /usr/bin/sg_persist
    works sg_persist
    # The other package comes again, in this version and the next; ours too.
    for package in "--reinstall $one" "--upgrade $two" "--upgrade $second"; do
        # shellcheck disable=SC2086
        managed $package
        ours /usr/bin/sg_persist
        works sg_persist
    done
    managed --verify sg3_utils
    managed --verify sg-persist
    # It cannot go while it is needed.
    local status=0
    managed --erase sg-persist || status=$?
    ((status != 0))
    works sg_persist
    # And back.
    inside sh -ec "$(sed -n 's/^    \(rm .*macros.sg-persist\)$/\1/p' README.md)"
    managed --reinstall "$two"
    expect 0 'original 2' inside sg_persist
    managed --verify sg3_utils
    managed --erase sg-persist
    picture after
    same_picture before after
}
